@echo off
cd /d %~dp0
call commun.bat
call etape.bat 2024
python fin.py
