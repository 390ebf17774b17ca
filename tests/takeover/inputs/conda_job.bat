@echo off
call C:\ProgramData\miniconda3\Scripts\activate.bat ventes
cd /d D:\jobs\ventes
python fetch.py && python clean.py && python report.py
call conda deactivate
