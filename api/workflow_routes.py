"""The routes of saved workflows, their drafts, revisions and trash, and of workflows made elsewhere."""

from __future__ import annotations

from api import converting, jobs, workflows
from api.route import API, JSON, Answer, Body, Parameter, Route, json_answer

LENIENT = Parameter("Prefer", "`handling=lenient`: problems are told in an answer that is no error.", where="header")
NOTHING = Body((JSON,), jobs.MAX_NOTHING, "Nothing", required=False)
IF_MATCH = Parameter("If-Match", "The revision this one replaces; needed where one exists.", where="header")
LABEL = Parameter("label", "A name of this revision, which is then kept for ever.")
DRAFT = Parameter("draft", "The revision of a draft that this save makes superfluous.")

WORKFLOW_ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        f"{API}/workflows",
        workflows.list_workflows,
        "Saved workflows",
        {200: json_answer("Names and revisions", "WorkflowList")},
    ),
    Route(
        "GET",
        f"{API}/workflows/{{name}}",
        workflows.get,
        "One saved workflow",
        {200: json_answer("The document; its revision is the ETag", "Workflow"), 304: Answer("Unchanged.")},
    ),
    Route(
        "PUT",
        f"{API}/workflows/{{name}}",
        workflows.put,
        "Save a workflow",
        {
            200: json_answer("Saved over the revision named by If-Match", "WorkflowSaved"),
            201: json_answer("Saved under a name that was free", "WorkflowSaved"),
            202: json_answer("Somebody saved it meanwhile", "WorkflowConflict"),
        },
        body=Body((JSON,), workflows.MAX_WORKFLOW, "Workflow"),
        parameters=(IF_MATCH, LABEL, DRAFT, LENIENT),
    ),
    Route(
        "DELETE",
        f"{API}/workflows/{{name}}",
        workflows.delete,
        "Put a workflow into the trash",
        {200: json_answer("Where it is there", "WorkflowDeleted")},
        parameters=(IF_MATCH,),
    ),
    Route(
        "POST",
        f"{API}/workflows/{{name}}/rename",
        workflows.rename,
        "Rename a workflow",
        {200: json_answer("Under its other name", "WorkflowSaved")},
        body=Body((JSON,), workflows.MAX_NAME, "WorkflowName"),
    ),
    Route(
        "GET",
        f"{API}/workflows/{{name}}/draft",
        workflows.get_draft,
        "What is not saved yet",
        {200: json_answer("The draft; the header Weft-Base names the revision it was begun from", "Workflow")},
    ),
    Route(
        "PUT",
        f"{API}/workflows/{{name}}/draft",
        workflows.put_draft,
        "Keep what is not saved yet",
        {200: json_answer("Kept", "DraftKept")},
        body=Body((JSON,), workflows.MAX_WORKFLOW, "Workflow"),
        parameters=(Parameter("base", "The revision it was begun from; none for a new workflow."),),
    ),
    Route(
        "DELETE",
        f"{API}/workflows/{{name}}/draft",
        workflows.delete_draft,
        "Let a draft go",
        {200: json_answer("Gone", "Nothing")},
    ),
    Route(
        "GET",
        f"{API}/workflows/{{name}}/revisions",
        workflows.list_revisions,
        "What was saved before",
        {200: json_answer("Revisions, newest first", "RevisionList")},
    ),
    Route(
        "GET",
        f"{API}/workflows/{{name}}/revisions/{{revision}}",
        workflows.get_revision,
        "A workflow as it was",
        {200: json_answer("The document at that revision", "Workflow"), 304: Answer("Unchanged.")},
    ),
    Route(
        "PATCH",
        f"{API}/workflows/{{name}}/revisions/{{revision}}",
        workflows.label_revision,
        "Label a revision",
        {200: json_answer("Labelled; kept for ever while it is", "RevisionLabel")},
        body=Body((JSON,), workflows.MAX_NAME, "RevisionLabel"),
    ),
    Route(
        "POST",
        f"{API}/workflows/{{name}}/revisions/{{revision}}/restore",
        workflows.restore_revision,
        "Go back to a revision",
        {
            200: json_answer("The revision is current again", "WorkflowSaved"),
            201: json_answer("The workflow is there again", "WorkflowSaved"),
        },
        body=NOTHING,
        parameters=(IF_MATCH,),
    ),
    Route(
        "POST",
        f"{API}/workflows/convert",
        converting.convert,
        "A workflow of ComfyUI as one of Weft",
        {200: json_answer("The document, and what it lacks", "Converted")},
        body=Body((JSON,), converting.MAX_FOREIGN, "Foreign"),
    ),
    Route("GET", f"{API}/trash", workflows.list_trash, "The trash", {200: json_answer("Deleted workflows", "Trash")}),
    Route(
        "POST",
        f"{API}/trash/{{entry}}/restore",
        workflows.undelete,
        "Bring a deleted workflow back",
        {201: json_answer("There again", "WorkflowSaved")},
        body=Body((JSON,), workflows.MAX_NAME, "WorkflowName", required=False),
    ),
    Route(
        "DELETE",
        f"{API}/trash/{{entry}}",
        workflows.destroy,
        "Delete for good",
        {200: json_answer("Gone", "Nothing")},
    ),
)
