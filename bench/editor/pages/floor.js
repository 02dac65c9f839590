/** The floor: a page that fills its canvas with a colour whenever there is input. Nothing that redraws a whole view is cheaper. */

const canvas = document.createElement("canvas");
canvas.style.cssText = "position:fixed;inset:0";
document.body.style.margin = "0";
document.body.append(canvas);
[canvas.width, canvas.height] = [innerWidth, innerHeight];
const ctx = canvas.getContext("2d", { alpha: false });
let [wanted, shade] = [false, 0];
const draw = () => {
  wanted = false;
  shade = (shade + 1) % 64;
  ctx.fillStyle = `rgb(${shade} ${shade} 32)`;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
};
const ask = () => {
  if (!wanted) requestAnimationFrame(draw);
  wanted = true;
};
addEventListener("pointermove", ask);
addEventListener("wheel", (event) => (event.preventDefault(), ask()), { passive: false });
window.__bench = {
  load() {},
  setView() {},
  getView: () => ({ scale: 1, x: 0, y: 0 }),
  nodePos: () => ({ x: 0, y: 0 }),
  nodeGrab: () => ({ x: innerWidth / 2, y: innerHeight / 2 }),
  select() {},
};
