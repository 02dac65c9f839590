/** Which control edits which kind of widget. A kind the page does not know is edited as the plain type of its value. */

import { choiceControl } from "./choice.js";
import { colourControl } from "./colour.js";
import { componentControl } from "./component.js";
import { fileControl } from "./file.js";
import { numberControl } from "./number.js";
import { seedControl } from "./seed.js";
import { sweepable } from "./sweepbox.js";
import { curveControl, textControl } from "./text.js";
import { toggleControl } from "./toggle.js";
import { controlOf } from "../core/geometry.js";
import { controlFrom } from "../extensions.js";

/** @import {AfterRun} from "../core/seeds.js" */
/** @import {InputSpec} from "../core/types.js" */

/**
 * What a control is given: the input, its value, and ways to change it. `set(value, false)` is one keystroke of a
 * gesture that `seal` ends.
 * @typedef {{of: string, input: InputSpec, label: string, value: () => unknown, set: (value: unknown, whole: boolean) => void,
 *            seal: () => void, options: () => readonly (string | number)[], upload: (file: File) => void,
 *            fileUrl: (name: string) => string, names: (folder: string) => readonly string[],
 *            pictureOf: (name: string, folder?: string) => string, addLora: (name: string) => void,
 *            tokens: (text: string) => Promise<readonly (readonly {text: string, weight: number}[])[]>,
 *            after: () => AfterRun, setAfter: (mode: AfterRun) => void, used: () => import("../core/seeds.js").Seed | undefined,
 *            sweep: () => string, setSweep: (text: string) => void, sweepCount: (text: string) => number}} Field
 *   `of`: kind of node and input, "acme.Tint.colour"; `names` of the files of a models folder, `pictureOf` the address of the picture beside one; `tokens` in chunks as a
 *   text encoder reads them; `after` a run, the seed `used` in the last; `sweep`: the text that says which values are
 *   tried, "" for none, `sweepCount` how many a text means, 0 for none
 * @typedef {{element: HTMLElement, show: (value: unknown) => void}} Control
 */

/** @type {Readonly<Record<string, (field: Field) => Control>>} */
const CONTROLS = {
  Slider: numberControl,
  Number: numberControl,
  Seed: seedControl,
  Text: textControl,
  Curve: curveControl,
  Toggle: toggleControl,
  Choice: choiceControl,
  ModelFile: choiceControl,
  InputFile: fileControl,
  Colour: colourControl,
  Component: componentControl,
};
const BY_TYPE = /** @type {Readonly<Record<string, (field: Field) => Control>>} */ ({ int: numberControl, float: numberControl, bool: toggleControl });

/** @param {Field} field @returns {Control} */
export function createControl(field) {
  const brought = controlFrom(field.of, field);
  if (brought) return brought;
  const kind = controlOf(field.input) ?? "";
  const create = Object.hasOwn(CONTROLS, kind) ? CONTROLS[kind] : (Object.hasOwn(BY_TYPE, field.input.type) ? BY_TYPE[field.input.type] : textControl);
  return kind === "Component" ? create(field) : sweepable(field, create(field));
}
