"""dicom-anonymizer over a list of files, with its own rules for PS3.15 Annex E.

    dicom_anonymizer.py LIST OUTPUT_FOLDER

LIST holds one path a line. Prints how many files were written.
"""

import os
import sys
import warnings

from dicomanonymizer import anonymize_dicom_file

warnings.simplefilter("ignore")

with open(sys.argv[1], encoding="utf-8") as listed:
    paths = [line.rstrip("\n") for line in listed]
written = 0
for path in paths:
    try:
        anonymize_dicom_file(path, os.path.join(sys.argv[2], os.path.basename(path)))
        written += 1
    except Exception as fault:  # one bad file must not end the others
        print(type(fault).__name__, file=sys.stderr)
print(written)
