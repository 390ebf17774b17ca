@ECHO OFF
:: ETL of the warehouse
SETLOCAL
SET PYTHON="C:\Program Files\Python312\python.exe"
SET BASE=%~dp0
%PYTHON% "%BASE%01_extract.py" --since yesterday || EXIT /B 1
%PYTHON% "%BASE%02_transform.py" || EXIT /B 1
%PYTHON% "%BASE%03_load.py" --target dwh || EXIT /B 1
ENDLOCAL
