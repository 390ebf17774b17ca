@echo off
set STADE=prod
set PATH=C:\outils;%PATH%
call appelle.bat
