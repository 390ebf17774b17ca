@echo off
rem Lance les scripts du répertoire
for %%f in (*.py) do python "%%f"
if exist stop.txt goto :eof
if "%1"=="complet" (
    python purge.py
) else (
    echo partiel
)
python final.py %1 %*
copy sortie.csv \\serveur\partage\
