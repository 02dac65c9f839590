import assert from "node:assert/strict";
import { test } from "node:test";

import { between, pinch, wheel } from "../../web/canvas/gestures.js";
import { toWorld } from "../../web/core/camera.js";

const CAMERA = { x: 40, y: -30, scale: 0.5 };
const AT = { x: 300, y: 200 };
const still = { deltaX: 0, deltaY: 0, deltaMode: 0, ctrlKey: false, metaKey: false, shiftKey: false };

/** @param {import("../../web/core/types.js").Point} a @param {import("../../web/core/types.js").Point} b */
const near = (a, b) => assert.ok(Math.hypot(a.x - b.x, a.y - b.y) < 1e-9, `${JSON.stringify(a)} ${JSON.stringify(b)}`);

test("a notched wheel zooms to the cursor, fingers on a trackpad pan, a pinch zooms, Shift goes sideways", () => {
  const notch = wheel(CAMERA, { ...still, deltaY: -100 }, AT);
  assert.ok(notch.scale > CAMERA.scale);
  near(toWorld(notch, AT), toWorld(CAMERA, AT));
  assert.deepEqual(wheel(CAMERA, { ...still, deltaX: 3, deltaY: 7.5 }, AT), { x: 37, y: -37.5, scale: 0.5 });
  const pinched = wheel(CAMERA, { ...still, deltaY: 4.2, ctrlKey: true }, AT);
  assert.ok(pinched.scale < CAMERA.scale);
  near(toWorld(pinched, AT), toWorld(CAMERA, AT));
  assert.deepEqual(wheel(CAMERA, { ...still, deltaY: 120, shiftKey: true }, AT), { x: -80, y: -30, scale: 0.5 });
  assert.ok(wheel(CAMERA, { ...still, deltaY: -3, deltaMode: 1 }, AT).scale > CAMERA.scale);
});

test("what is under two fingers stays under them", () => {
  const other = { x: 100, y: 100 };
  const [before, after] = [{ x: 200, y: 100 }, { x: 300, y: 100 }];
  const camera = pinch(CAMERA, before, after, other);
  near(toWorld(camera, after), toWorld(CAMERA, before));
  near(toWorld(camera, other), toWorld(CAMERA, other));
});

test("a glide begins and ends where it should and passes the middle", () => {
  const to = { x: -500, y: 800, scale: 2 };
  const size = { w: 800, h: 600 };
  near(between(CAMERA, to, 0, size), CAMERA);
  near(between(CAMERA, to, 1, size), to);
  assert.equal(between(CAMERA, to, 0.5, size).scale, 1);
});
