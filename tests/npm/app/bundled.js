// An app with a bundler: the package by its name.
import * as ia3 from "ia3-web";
import * as job from "./job.js";

Object.assign(globalThis, { ia3, job });
