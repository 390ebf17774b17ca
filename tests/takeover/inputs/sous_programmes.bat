@echo off
setlocal enabledelayedexpansion
set "JOUR=%date:~0,2%"
call :lance extract.py
call :lance load.py
goto :eof
:lance
python %1 --jour !JOUR! >> "logs\%~n1.log" 2>&1
if !errorlevel! neq 0 echo erreur %1
exit /b
