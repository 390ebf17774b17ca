@cd /d "%~dp0"
@py -3.12 -u collecte.py
@if %ERRORLEVEL% NEQ 0 exit /b %ERRORLEVEL%
@py -3.12 rapport.py ^
    --format pdf ^
    --titre "Ventes & marges"
