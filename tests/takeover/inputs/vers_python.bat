@echo off
rem Ancien lanceur, encodage Windows
set "PYTHONPATH=%~dp0lib"
set DATABASE_URL=postgres://ann:s3cret@srv/ventes
"C:\Python39\python.exe" -X utf8 -W ignore "%~dp0étape un.py" "C:\données\ventes.csv"
if not errorlevel 1 "C:\Python39\python.exe" -X utf8 -W ignore "%~dp0étape deux.py"
