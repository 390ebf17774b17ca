@echo off
"%LOCALAPPDATA%\Programs\Python\Python311\python.exe" "\\nas\equipe\ventes\import_ventes.py" --cle API_KEY=abc --password "s3cr3t x" --mois 05
