/** The entry of `npm start`. Nothing is imported before the runtime is known to be new enough: an older one would crash in the middle of it. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 22 || (major === 22 && minor < 15)) {
  process.stderr.write(
    `workspace-ledger needs Node 22.15 or newer, this is ${process.versions.node}: start it with npm start, which brings its own\n`,
  );
  process.exitCode = 1;
} else {
  const { run } = await import('./run.js');
  process.exitCode = await run(process.argv.slice(2), process.env);
}

export {};
