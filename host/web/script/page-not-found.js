import { frame } from "./shell.js";

frame();
