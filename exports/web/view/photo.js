// A picture from outside: a file, one that was dropped or pasted, or the camera's.

import { refusal } from './words.js';

const MARGIN = 8; // pixels kept per pixel of the model: no photo is held in full

/**
 * The only file of a list, if it is a picture.
 * @param {FileList|File[]} files
 * @throws {Error} for people
 */
export function onlyPicture(files) {
  const list = [...files];
  if (list.length === 0) {
    throw refusal('That was no file. Choose a picture: PNG, JPEG, WebP or GIF.');
  }
  if (list.length > 1) {
    throw refusal(`One picture at a time: that were ${list.length} files. Choose one of them.`);
  }
  const [file] = list;
  if (file.type && !file.type.startsWith('image/')) throw unreadable(file);
  return file;
}

/**
 * The middle of a picture, cut to a shape and made small.
 * @param {File} file of any size; it is decoded aside, not while the page waits
 * @param {{width: number, height: number}} image the shape
 * @returns {Promise<ImageBitmap>}
 */
export async function middle(file, image) {
  const size = await sizeOf(file);
  const scale = Math.min(size.width / image.width, size.height / image.height);
  const [width, height] = [image.width, image.height]
    .map((side) => Math.max(1, Math.round(side * scale)));
  try {
    return await createImageBitmap(file,
      Math.floor((size.width - width) / 2), Math.floor((size.height - height) / 2), width, height,
      { resizeWidth: image.width * MARGIN, resizeHeight: image.height * MARGIN,
        resizeQuality: scale > MARGIN ? 'high' : 'pixelated' }); // made larger, pixels stay squares
  } catch {
    throw unreadable(file);
  }
}

/** How large a picture is: an element that is never shown reads its head and decodes no pixel. */
async function sizeOf(file) {
  const url = URL.createObjectURL(file);
  const image = new Image();
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
      image.src = url;
    });
  } catch {
    throw unreadable(file);
  } finally {
    URL.revokeObjectURL(url);
  }
  if (!image.naturalWidth || !image.naturalHeight) throw unreadable(file);
  return { width: image.naturalWidth, height: image.naturalHeight };
}

function unreadable(file) {
  return refusal(`“${file.name || 'That'}” is not a picture that this browser can read, or it is `
    + 'damaged. Choose a PNG, JPEG, WebP or GIF.');
}
