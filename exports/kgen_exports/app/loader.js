// Starts the app from the page that holds all of it: every file gets an address in memory.
//
// A file is an element <script type="text/plain" data-path data-type>, gzipped and in base64. They
// come in an order in which a module's imports precede it; in the text of what imports, marked by
// data-module, %kgen:PATH% stands for the address of another file.

(async () => {
  /** Gives every file an address. Also runs in the worker, so it uses nothing from outside. */
  async function link(parts) {
    const table = {};
    for (const { path, module, blob } of parts) {
      const text = module ? await blob.text() : '';
      const linked = text.replace(/%kgen:([^%]+)%/g, (_, name) => table[name]);
      table[path] = URL.createObjectURL(module ? new Blob([linked], { type: blob.type }) : blob);
    }
    return table;
  }

  /** The start of the worker: what a page that is a file has in memory, its worker cannot fetch. */
  function begin() {
    self.onmessage = async ({ data }) => {
      try {
        const files = await link(data.files);
        importScripts(files['worker.js']); // which listens from here on
        self.onmessage({ data: { ...data, files } });
      } catch (error) {
        setTimeout(() => { throw error; });
      }
    };
  }

  /** The bytes of base64 text, unzipped. */
  async function unpack(text, type) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Response(stream, { headers: { 'Content-Type': type } }).blob();
  }

  try {
    const parts = [];
    for (const element of document.querySelectorAll('script[data-path]')) {
      const { path, type, module } = element.dataset;
      const blob = await unpack(element.textContent, type);
      parts.push({ path, module: module !== undefined, blob });
      element.remove(); // the page need not keep it twice
    }
    const table = await link(parts);
    const worker = new Blob([`${link}\n(${begin})();`], { type: 'text/javascript' });
    table['worker.js'] = URL.createObjectURL(worker);
    globalThis.KGEN_FILES = table;
    globalThis.KGEN_PARTS = parts;
    await import(table['app.js']);
  } catch (error) {
    const said = document.createElement('p');
    said.setAttribute('role', 'alert');
    said.textContent = `This page could not be started (${error.message}). It takes a browser of `
      + '2023 or newer: Chrome 103, Firefox 114 or Safari 16.4.';
    document.body.prepend(said);
    throw error;
  }
})();
