// One browser and one server for all specs of a file (each file is a process of its own).

import { after, before } from 'node:test';

import { launch } from './harness.mjs';
import { Server } from './server.mjs';

/** Chromium; there from the first spec on. */
export let browser;
/** `vitrine serve`; there from the first spec on. */
export let server;

/** Starts both before the specs of this file, with those arguments, and ends both after them. */
export function onStage(args = []) {
  before(async () => {
    browser = await launch();
    server = await Server.start(args);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
}
