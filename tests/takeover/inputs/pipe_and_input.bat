@echo off
echo o | python confirme.py
python liste.py | findstr /v DEBUG
python calcule.py < entree.txt > sortie.txt
python -c "print(1)"
pip install -r requirements.txt
