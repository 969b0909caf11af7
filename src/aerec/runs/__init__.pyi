from aerec.runs.batch_recommend import recommend_all as recommend_all
from aerec.runs.folder import SPLITTERS as SPLITTERS
from aerec.runs.folder import Run as Run
from aerec.runs.folder import SplitPlan as SplitPlan
from aerec.runs.folder import check_run_path as check_run_path
from aerec.runs.folder import read_run as read_run
from aerec.runs.folder import run_fingerprint as run_fingerprint
from aerec.runs.folder import write_run as write_run
