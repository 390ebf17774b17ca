@echo off
start "Ventes" /wait pythonw extract.py
start "" /b python watch.py
start /wait cmd /c "python load.py"
