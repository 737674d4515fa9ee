"""deid (pydicom) over a list of files, as its documents show: the default recipe, private attributes removed.

    pydicom_deid.py LIST OUTPUT_FOLDER

LIST holds one path a line. Prints how many files were written.
"""

import logging
import sys
import warnings

from deid.config import DeidRecipe
from deid.dicom import replace_identifiers
from deid.logger import bot

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
bot.level = 0

with open(sys.argv[1], encoding="utf-8") as listed:
    paths = [line.rstrip("\n") for line in listed]
recipe = DeidRecipe()
written = 0
for path in paths:
    try:
        replace_identifiers(
            dicom_files=[path],
            deid=recipe,
            save=True,
            overwrite=True,
            output_folder=sys.argv[2],
            remove_private=True,
        )
        written += 1
    except Exception as fault:  # one bad file must not end the others
        print(type(fault).__name__, file=sys.stderr)
print(written)
