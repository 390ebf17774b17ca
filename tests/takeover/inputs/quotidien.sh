#!/bin/sh
# Traitement quotidien des données
REP=/opt/ventes
PY=$REP/venv/bin/python
LOG=$REP/log/traitement.log
cd $REP || exit 1
$PY collecte.py >> $LOG 2>&1 || exit 1
$PY calcul.py --été "à jour" >> $LOG 2>&1
if [ $? -ne 0 ]; then
    echo "échec" | mail -s "échec" ann@example.org
    exit 1
fi
$PY rapport.py
