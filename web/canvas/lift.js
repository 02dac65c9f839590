/** Nodes taken off the world while they are dragged: painted once, shown where the pointer has them, put back at the end. */

import { union } from "../core/grid.js";
import { reachOf } from "./look.js";

/** @import {Scene, Wire} from "../core/scene.js" */
/** @import {Point} from "../core/types.js" */

export class Lift {
  /** How far they were moved, in world units. @type {Point} */
  offset = { x: 0, y: 0 };
  /** Let go, and shown only until the world is painted with them. */
  landing = false;
  ids;
  /** Links to nodes that stay. @type {Wire[]} */
  tethers = [];
  /** What of the world looks different without them. @type {import("../core/types.js").Box[]} */
  boxes = [];
  /** Where in the world all of it lies. @type {import("../core/types.js").Box} */
  within;

  /** @param {ReadonlySet<string>} ids @param {Scene} scene */
  constructor(ids, scene) {
    this.ids = ids;
    /** @type {import("../core/types.js").Box[]} */
    const inside = [];
    const keys = new Set([...ids].flatMap((id) => [...scene.wiresOf(id)]));
    for (const key of keys) {
      const wire = scene.wire(key);
      const box = scene.wireBox(key);
      if (!wire || !box) continue;
      this.boxes.push(box);
      if (!ids.has(wire.id) || !ids.has(wire.source)) this.tethers.push(wire);
      else inside.push(box);
    }
    for (const id of ids) {
      const box = scene.nodes.box(id);
      if (!box) continue;
      this.boxes.push(box);
      inside.push(reachOf(box));
    }
    this.within = union(inside) ?? { x: 0, y: 0, w: 0, h: 0 };
  }
}
