// A page without a bundler: the package by its path.
import * as ia3 from "./node_modules/ia3-web/index.js";
import * as job from "./job.js";

Object.assign(globalThis, { ia3, job });
