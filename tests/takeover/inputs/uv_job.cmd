@echo off
pushd %~dp0
uv run --frozen extract.py
if not %errorlevel%==0 (
    echo extract failed
    popd
    exit /b 1
)
uv run --frozen load.py
popd
