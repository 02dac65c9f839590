/** Which control edits which kind of widget. A kind the page does not know is edited as the plain type of its value. */

import { choiceControl } from "./choice.js";
import { fileControl } from "./file.js";
import { numberControl } from "./number.js";
import { seedControl } from "./seed.js";
import { textControl } from "./text.js";
import { toggleControl } from "./toggle.js";
import { controlOf } from "../core/geometry.js";

/** @import {InputSpec} from "../core/types.js" */

/**
 * What a control is given: the input, its value, and ways to change it. `set(value, false)` is one keystroke of a
 * gesture that `seal` ends.
 * @typedef {{input: InputSpec, label: string, value: () => unknown, set: (value: unknown, whole: boolean) => void,
 *            seal: () => void, options: () => readonly (string | number)[], upload: (file: File) => void,
 *            fileUrl: (name: string) => string}} Field
 * @typedef {{element: HTMLElement, show: (value: unknown) => void}} Control
 */

/** @type {Readonly<Record<string, (field: Field) => Control>>} */
const CONTROLS = {
  Slider: numberControl,
  Number: numberControl,
  Seed: seedControl,
  Text: textControl,
  Toggle: toggleControl,
  Choice: choiceControl,
  ModelFile: choiceControl,
  InputFile: fileControl,
};
const BY_TYPE = /** @type {Readonly<Record<string, (field: Field) => Control>>} */ ({ int: numberControl, float: numberControl, bool: toggleControl });

/** @param {Field} field @returns {Control} */
export function createControl(field) {
  const kind = controlOf(field.input) ?? "";
  const create = Object.hasOwn(CONTROLS, kind) ? CONTROLS[kind] : (Object.hasOwn(BY_TYPE, field.input.type) ? BY_TYPE[field.input.type] : textControl);
  return create(field);
}
