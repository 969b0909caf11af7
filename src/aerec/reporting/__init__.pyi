from aerec.display.plotting import plot_history as plot_history
from aerec.reporting.model_summary import describe_model as describe_model
from aerec.reporting.page import write_report as write_report
from aerec.reporting.results import gather_results as gather_results
from aerec.reporting.results import measure_models as measure_models
from aerec.reporting.results import read_results as read_results
from aerec.reporting.side_by_side import SideBySide as SideBySide
from aerec.reporting.steering import Steering as Steering
