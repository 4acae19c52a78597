"""Judges on the Hugging Face hub: loaded by name, and uploaded."""

from abc import ABC, abstractmethod
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download

from ...models.arguments import checked
from ...models.errors import InnerjudgeError, one_line
from ...models.foreign import Scratch
from .saved import FILES


def find_folder(name: str | Path, revision: str | None) -> Path:
    """A local folder, or the files of a judge on the hub, brought here; ``InnerjudgeError`` if there is neither."""
    folder = Path(name)
    if folder.is_dir():
        if revision is not None:
            raise InnerjudgeError(
                f"given revision={revision!r} with the folder {str(name)!r}, expected it with a judge on the hub: "
                "leave it out"
            )
        return folder
    try:
        return Path(snapshot_download(str(name), revision=revision, allow_patterns=list(FILES)))
    except Exception as error:  # the hub's client has no one class for what goes wrong on the way
        raise InnerjudgeError(
            f"given the judge {str(name)!r}, expected a folder that `innerjudge fit` or Judge.save wrote, or a name on "
            f"the hub that can be reached: check the spelling and the network ({one_line(error)})"
        ) from None


class HubUpload(ABC):
    """Puts on the hub what ``save`` writes into a folder."""

    @abstractmethod
    def save(self, folder: str | Path) -> None:
        """Write everything into a folder."""

    @checked
    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | None = None,
        revision: str | None = None,
        commit_message: str = "Judge of innerjudge",
        create_pr: bool = False,
    ) -> str:
        """Put the judge's folder on the hub, model card and all; returns the address.

        Args:
            repo_id: ``"you/name"``; the repository is made where it does not exist.
            private: Whether a new repository is private; ``None`` is the hub's default for you.
            token: Of an account that may write there; ``None`` for the one of ``hf auth login``.
            revision: Branch to commit to.
            commit_message: First line of the commit.
            create_pr: Propose the commit instead of making it.

        Raises:
            InnerjudgeError: If the hub refuses, with its reason.
        """
        api = HfApi(token=token)
        with Scratch(repo_id) as folder:
            self.save(folder)
            try:
                made = api.create_repo(repo_id, private=private, exist_ok=True)
                api.upload_folder(
                    repo_id=made.repo_id,
                    folder_path=folder,
                    allow_patterns=list(FILES),
                    revision=revision,
                    commit_message=commit_message,
                    create_pr=create_pr,
                )
            except Exception as error:  # as above
                raise InnerjudgeError(
                    f"given {repo_id!r} to push to, expected a repository of yours and a token that may write to it "
                    f"(`hf auth login`): {one_line(error)}"
                ) from None
        return str(made)
