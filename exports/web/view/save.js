// Out of the page: a picture as a PNG file, to the device or to another app; text to the clipboard.

import { element } from './dom.js';
import { enlarged } from './picture.js';
import { refusal } from './words.js';

/** Sizes to save in: [[factor, text], ...], each pixel a square of whole pixels. */
export function sizes({ width, height }) {
  const longer = Math.max(width, height);
  const factors = [1, 256, 512, 1024].map((side) => Math.round(side / longer) || 1);
  return [...new Set(factors)].map((factor) => [String(factor),
    `${width * factor} × ${height * factor}${factor === 1 ? ' (as drawn)' : ''}`]);
}

/** A picture as a PNG. */
async function png(picture, factor) {
  const canvas = enlarged(picture, factor);
  const blob = await new Promise((resolve) => { canvas.toBlob(resolve, 'image/png'); });
  if (!blob) {
    throw refusal(`This browser could not make a PNG of ${canvas.width} × ${canvas.height} `
      + 'pixels. Choose a smaller size.');
  }
  return blob;
}

async function base64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Ask the Android package that this page is in; what fails there has no words for people. */
function android(what, name, content) {
  try {
    return globalThis.KgenAndroid[what](name, content);
  } catch {
    throw refusal(`Android could not ${what} ${name}. Is there room for it on the device?`);
  }
}

/** Save a picture as name.png. Returns what to tell people. */
export async function save(picture, name, factor) {
  const blob = await png(picture, factor);
  if (globalThis.KgenAndroid?.save) {
    const place = android('save', `${name}.png`, await base64(blob));
    return `Saved as ${place || `${name}.png`}.`;
  }
  const url = URL.createObjectURL(blob);
  element('a', { href: url, download: `${name}.png` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000); // the browser may still be reading it
  return `Saved ${name}.png to your downloads.`;
}

/** Whether this device can hand a picture to another app. */
export function shareable() {
  if (globalThis.KgenAndroid) return Boolean(globalThis.KgenAndroid.share);
  try {
    return navigator.canShare?.({ files: [new File([], 'x.png', { type: 'image/png' })] }) ?? false;
  } catch {
    return false;
  }
}

/** Hand a picture to another app. */
export async function share(picture, name, factor) {
  const blob = await png(picture, factor);
  if (globalThis.KgenAndroid) {
    android('share', `${name}.png`, await base64(blob));
    return;
  }
  const files = [new File([blob], `${name}.png`, { type: 'image/png' })];
  try {
    await navigator.share({ files });
  } catch (error) {
    if (error.name === 'AbortError') throw error; // they changed their mind
    throw refusal(`This device did not take the picture (${error.message}). Save it instead.`);
  }
}

/**
 * Copy text. The clipboard is there only over https; elsewhere by the old way.
 * @throws {Error} for people
 */
export async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return;
    } catch {
      // not allowed: by the old way
    }
  }
  const area = element('textarea', { class: 'unseen', 'aria-hidden': 'true', value: text });
  const focused = document.activeElement;
  (focused?.closest('dialog') ?? document.body).append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  focused?.focus();
  if (!done) throw refusal('This browser did not let the page copy. Select the text and copy it.');
}
