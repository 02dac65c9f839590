/** What the page sends to run a workflow with sweeps: `{workflow, catalogue, models}` on standard input, the workflow out. */

import { readFileSync } from "node:fs";

import { Catalogue } from "../web/core/catalogue.js";
import { swept } from "../web/request.js";

const { workflow, catalogue, models } = JSON.parse(readFileSync(0, "utf8"));
const sent = await swept(workflow, new Catalogue(catalogue.nodes, models), null);
process.stdout.write(JSON.stringify(sent.workflow));
