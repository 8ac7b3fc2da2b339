// Where everything is computed. A classic worker that imports modules: LiteRT's loader needs
// importScripts, which workers that are modules themselves lack.

self.onmessage = async ({ data }) => {
  // Of an app in one single file: where its parts are.
  if (data.files) self.KGEN_FILES = data.files;
  const { serve } = await import('./engine/host.js');
  await serve(self, data);
};

// A module that cannot be loaded rejects a promise; the page listens for errors.
self.onunhandledrejection = ({ reason }) => {
  setTimeout(() => { throw reason; });
};
