@echo off
cd /d %~dp0
conda run -n analyse --no-capture-output python train.py --epochs 5
timeout /t 30 /nobreak
conda run -n analyse --no-capture-output python score.py
