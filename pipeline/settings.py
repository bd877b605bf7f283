"""Settings, read from the environment (`CHURN_...`) once, at the edges, and handed on as a value."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from upath import UPath


def _default_home() -> str:
    """`.churn` beside the checkout, so that `churn` finds its state from any folder; else in the current folder."""
    checkout = Path(__file__).resolve().parents[1]
    return str(checkout / ".churn") if (checkout / "pyproject.toml").exists() else ".churn"


class Settings(BaseSettings):
    """Everything that a user may set without touching code."""

    model_config = SettingsConfigDict(env_prefix="CHURN_", frozen=True)

    home: str = Field(default_factory=_default_home, description="folder or URL everything is written under")
    dataset: str = Field(default="simulated", description="name of a shipped dataset, or a path to a module of yours")
    seed: int = Field(default=7, description="seed of everything random")
    threads: int = Field(default=2, ge=1, description="threads that model fitting may use")

    simulated_customers: int = Field(default=20_000, ge=100, description="customers when the simulated world starts")
    simulated_months: int = Field(default=24, ge=8, description="months of the simulated world")
    replay_customers: int = Field(default=5_000, ge=100, description="customers when the world of a scenario starts")
    replay_months: int = Field(default=24, ge=1, description="months of production that are played in a scenario")

    telco_path: str = Field(default="", description="the IBM Telco CSV; fetched by a library where this is empty")

    training_months: int = Field(default=18, ge=1, description="snapshots that a model is fitted on at most")
    test_months: int = Field(default=3, ge=1, description="newest labelled snapshots, read once, for the gate")
    calibration_months: int = Field(default=2, ge=1, description="snapshots between training and test, for calibration")
    months_since_change: int = Field(default=0, ge=0, description="labelled months since something changed; 0 for none")
    training_rows: int = Field(default=120_000, ge=1_000, description="rows that a model is fitted on at most")
    search_candidates: int = Field(default=4, ge=1, description="hyperparameter settings tried for each model")
    search_rows: int = Field(default=30_000, ge=1_000, description="rows that each of them is tried on at most")
    bootstrap_rounds: int = Field(default=500, ge=100, description="rounds of the bootstrap behind every interval")

    pages: bool = Field(default=True, description="whether pages, previews and plots are made for people to look at")
    mlflow: bool = Field(default=True, description="whether trainings are recorded in MLflow, for people")

    evidence_leads_to: dict[str, str] = Field(
        default={}, description="what a kind of monitoring's evidence leads to, where not to what the table says"
    )

    holdout_share: float = Field(default=0.1, ge=0, lt=1, description="share of the call list that is not contacted")

    webhook_url: SecretStr | None = Field(default=None, description="where alerts are posted, besides the log")
    alert_email_to: str = Field(default="", description="who gets alerts by e-mail; several with commas between")
    smtp_url: SecretStr | None = Field(default=None, description="smtp://user:password@host:587 that sends e-mail")
    ui_url: str = Field(default="http://127.0.0.1:3070", description="address of Dagster's UI, for links in alerts")
    state_url: SecretStr | None = Field(default=None, description="SQLAlchemy URL; SQLite under the home by default")
    dagster_url: SecretStr | None = Field(default=None, description="PostgreSQL URL for Dagster; SQLite by default")

    serve_host: str = Field(default="127.0.0.1", description="address the service listens on")
    serve_port: int = Field(default=3000, description="port of the service")
    serve_hosts: str = Field(default="localhost,127.0.0.1,[::1]", description="names callers may use; * for any")
    serve_deadline_seconds: float = Field(default=0.5, gt=0, description="how long a release may score a customer")
    api_key: SecretStr | None = Field(default=None, description="key that callers must send, where set")

    def root(self) -> UPath:
        """The home as a path; a folder on this machine is made absolute."""
        path = UPath(self.home)
        return path if "://" in self.home else UPath(Path(self.home).expanduser().resolve())
