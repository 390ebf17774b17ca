@echo off
rem Sauvegarde des ventes, chaque nuit Ö 2 h
chcp 850 >nul
setlocal
cd /d D:\Scripts\ventes
set SERVEUR=srv-donnÇes
set MOT_DE_PASSE=ÇtÇ2024
call venv\Scripts\activate.bat
python extraire.py --serveur %SERVEUR% >> journal.log 2>&1
if errorlevel 1 goto erreur
python sauvegarde.py "Rapport trimestriel"
if errorlevel 1 goto erreur
echo TerminÇ
goto fin
:erreur
echo êchec de la sauvegarde
python alerte.py
exit /b 1
:fin
pause
