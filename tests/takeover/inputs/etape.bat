@echo off
py -3 etape.py --annee %1
exit /b %errorlevel%
