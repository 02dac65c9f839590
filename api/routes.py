"""Every route there is. The router, the gate and the OpenAPI document are made from this table."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from api import (
    cache,
    events,
    extensions,
    files,
    gallery,
    health,
    jobs,
    models,
    nodes,
    page,
    queue,
    templates,
    thumbnails,
    tokens,
)
from api.openapi import describe
from api.route import API, JSON, Answer, Body, Parameter, Route, json_answer
from api.services import Services
from api.workflow_routes import LENIENT, NOTHING, WORKFLOW_ROUTES

JOB_BODY = Body((JSON,), jobs.MAX_REQUEST, "JobRequest")
UPLOAD_BODY = Body((*files.UPLOADS, "application/octet-stream", "multipart/form-data"), files.MAX_UPLOAD)
NUMBER: Mapping[str, object] = {"type": "integer", "minimum": 0}
AFTER = Parameter("after", "Only events numbered above this.", NUMBER)
STATE = Parameter("state", "Only jobs in this state.")
LIMIT = Parameter("limit", f"Jobs a page, at most {jobs.MAX_PAGE}.", NUMBER)
TIER = Parameter("tier", f"Only this one of {', '.join(cache.TIERS)}.")
CURSOR = Parameter("cursor", "The 'next' of the page before.")
WAIT = Parameter("Prefer", "`wait=30`: answer when the job has ended, or after 30 s.", where="header")
IDEMPOTENCY = Parameter("Idempotency-Key", "The same key within a day gives the same job.", where="header")
CLIENT = Parameter("Weft-Client", "Who asks; clients take turns. Without it, the address.", where="header")
FILE: Mapping[int, Answer] = {
    200: Answer("The file. A picture is shown, anything else is a download.", "application/octet-stream"),
    206: Answer("The requested range of the file.", "application/octet-stream"),
    304: Answer("Unchanged."),
}


async def openapi(_request: web.Request, services: Services) -> web.StreamResponse:
    """This interface as an OpenAPI 3.1 document."""
    return web.json_response(describe(ROUTES, services.config.version))


ROUTES: tuple[Route, ...] = (
    Route("GET", f"{API}/health", health.health, "Server and worker state", {200: json_answer("Up", "Health")}),
    Route("GET", f"{API}/openapi.json", openapi, "This document", {200: json_answer("OpenAPI 3.1", "OpenAPI")}),
    Route(
        "GET",
        f"{API}/nodes",
        nodes.catalogue,
        "All nodes",
        {200: json_answer("The catalogue", "Catalogue"), 304: Answer("Unchanged.")},
    ),
    Route("GET", f"{API}/cache", cache.report, "Kept results", {200: json_answer("Bytes by tier", "CacheReport")}),
    Route(
        "DELETE",
        f"{API}/cache",
        cache.clear,
        "Let kept results go",
        {200: json_answer("What is left", "CacheReport")},
        parameters=(TIER,),
    ),
    Route("GET", f"{API}/models", models.models, "All models", {200: json_answer("Names by folder", "ModelList")}),
    Route(
        "GET",
        f"{API}/models/{{folder}}/{{name:.+}}",
        models.model,
        "A model by its name or content",
        {200: json_answer("What it is called here", "ModelFile"), 204: Answer("There is none.")},
        parameters=(Parameter("hash", "Of one by another name."), Parameter("size", "And size.", NUMBER)),
    ),
    Route(
        "POST",
        f"{API}/jobs",
        jobs.submit,
        "Run a workflow",
        {202: json_answer("Accepted and recorded", "JobAccepted"), 200: json_answer("Refused", "Problems")},
        body=JOB_BODY,
        parameters=(IDEMPOTENCY, CLIENT, LENIENT),
    ),
    Route(
        "POST",
        f"{API}/jobs/explain",
        jobs.explain,
        "What would run, and why",
        {200: json_answer("Every node", "Explanation")},
        body=JOB_BODY,
        parameters=(LENIENT,),
    ),
    Route(
        "GET",
        f"{API}/jobs",
        jobs.list_jobs,
        "Jobs, newest first",
        {200: json_answer("A page of jobs", "JobList")},
        parameters=(STATE, LIMIT, CURSOR),
    ),
    Route("GET", f"{API}/jobs/{{id}}", jobs.get, "One job", {200: json_answer("The job", "Job")}, parameters=(WAIT,)),
    Route(
        "GET",
        f"{API}/jobs/{{id}}/workflow",
        jobs.workflow,
        "The workflow of a job",
        {200: json_answer("As submitted", "Workflow")},
    ),
    Route(
        "POST",
        f"{API}/jobs/{{id}}/cancel",
        jobs.cancel,
        "Cancel a job",
        {202: json_answer("The state after the request", "JobCancelled")},
        body=NOTHING,
    ),
    Route(
        "POST",
        f"{API}/jobs/{{id}}/rerun",
        jobs.rerun,
        "Run a job again",
        {202: json_answer("The new job, accepted and recorded", "JobAccepted")},
        body=NOTHING,
        parameters=(IDEMPOTENCY, CLIENT),
    ),
    Route(
        "PATCH",
        f"{API}/jobs/{{id}}",
        queue.change,
        "Move a queued job",
        {200: json_answer("Where it stands", "JobMoved")},
        body=Body((JSON,), queue.MAX_CHANGE, "JobChange"),
    ),
    Route(
        "POST",
        f"{API}/jobs/cancel",
        queue.cancel,
        "Cancel many jobs",
        {202: json_answer("The state of each after the request", "JobsCancelled")},
        body=Body((JSON,), queue.MAX_CANCEL, "JobsToCancel"),
    ),
    Route("GET", f"{API}/queue", queue.look, "The queue, in order", {200: json_answer("What runs and waits", "Queue")}),
    Route(
        "POST",
        f"{API}/queue/pause",
        queue.pause,
        "Start no further job",
        {200: json_answer("The queue, paused", "Queue")},
        body=NOTHING,
    ),
    Route(
        "POST",
        f"{API}/queue/resume",
        queue.resume,
        "Go on",
        {200: json_answer("The queue, going on", "Queue")},
        body=NOTHING,
    ),
    Route(
        "GET",
        f"{API}/jobs/{{id}}/events",
        events.history,
        "What happened in a job",
        {200: json_answer("Its events so far", "EventList")},
        parameters=(AFTER,),
    ),
    Route(
        "GET",
        f"{API}/events",
        events.stream,
        "Events as they happen (WebSocket)",
        {101: Answer("Events as JSON text frames; an array holds several")},
        parameters=(Parameter("job", "Events of this job; without it, every change of state."), AFTER),
    ),
    *WORKFLOW_ROUTES,
    Route(
        "GET",
        f"{API}/templates",
        templates.list_templates,
        "Workflows to start from",
        {200: json_answer("What there is", "TemplateList")},
    ),
    Route(
        "GET",
        f"{API}/templates/{{name}}",
        templates.get,
        "One workflow to start from",
        {200: json_answer("The document", "Workflow")},
    ),
    Route(
        "GET",
        f"{API}/templates/{{name}}/picture",
        templates.picture,
        "A picture it made",
        {200: Answer("WebP", "image/webp")},
    ),
    Route(
        "GET",
        f"{API}/extensions",
        extensions.list_packs,
        "Packs that have modules for the page",
        {200: json_answer("Their names", "PackList")},
    ),
    Route(
        "GET",
        "/packs/{pack}/{path:.+}",
        extensions.module,
        "A module of a pack",
        {200: Answer("By its name", "*/*")},
    ),
    Route(
        "POST",
        f"{API}/files",
        files.upload,
        "Upload a picture",
        {201: json_answer("Stored under a name of its own", "StoredFile")},
        body=UPLOAD_BODY,
        parameters=(Parameter("name", "What to call it; the stored name adds its content's hash."),),
    ),
    Route("GET", f"{API}/files/input/{{name:.+}}", files.get_input, "An uploaded file", FILE),
    Route("GET", f"{API}/files/output/{{name:.+}}", files.get_output, "A result", FILE),
    Route("GET", f"{API}/files/temp/{{name:.+}}", files.get_temp, "A preview result", FILE),
    Route(
        "POST",
        f"{API}/tokens",
        tokens.tokens,
        "The tokens of a prompt",
        {200: json_answer("Its chunks", "Tokens")},
        body=Body((JSON,), tokens.MAX_TEXT, "Prompt"),
    ),
    Route(
        "GET",
        f"{API}/results",
        gallery.results,
        "Pictures of all jobs, newest first",
        {200: json_answer("A page of jobs with their pictures", "ResultList")},
        parameters=(
            Parameter("q", "Words that all have to be among prompts, names of models and seeds."),
            Parameter("since", "Only jobs that ended at this time or later, in milliseconds since the epoch.", NUMBER),
            Parameter("until", "Only jobs that ended before this time.", NUMBER),
            LIMIT,
            CURSOR,
        ),
    ),
    Route(
        "GET",
        f"{API}/thumbnails/{{folder}}/{{name:.+}}",
        thumbnails.thumbnail,
        "A picture in small",
        {200: Answer("WebP", "image/webp"), 204: Answer("A model without one."), 304: Answer("Unchanged.")},
    ),
    Route(
        "DELETE",
        f"{API}/files/output/{{name:.+}}",
        files.delete_output,
        "Delete a result for good",
        {204: Answer("Gone.")},
    ),
    Route(
        "GET",
        "/login",
        page.login,
        "Trade the code of the printed address for a session cookie",
        {303: Answer("To the page")},
        parameters=(Parameter("code", "The one-time code."),),
        open=True,
    ),
    Route("GET", "/", page.index, "The page", {200: Answer("HTML", "text/html"), 304: Answer("Unchanged.")}),
    Route(
        "GET",
        "/web/{path:.+}",
        page.module,
        "A module of the page",
        {200: Answer("By its name", "*/*"), 304: Answer("Unchanged.")},
    ),
)
