/** Fails when a control is made, when a panel is opened, when a command is run, and at last itself. */

import { command, control, panel } from "weft";

const fail = () => {
  throw new Error("broken on purpose");
};

control("KSampler.steps", fail);
panel({ id: "broken", title: "Broken panel", icon: "alert", side: "left", create: fail });
command({ id: "broken.run", title: "Broken command", run: fail });
fail();
