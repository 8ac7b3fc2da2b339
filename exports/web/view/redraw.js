// Redraw: what an encoder and a decoder make of a picture that you bring, and variations of it.

import { button, element, field, slider, tick } from './dom.js';
import { blank, enlarged, paint } from './picture.js';
import { middle, onlyPicture } from './photo.js';
import { Paper } from './paper.js';
import { labelField, labelFrom } from './seed.js';
import { variations } from './vary.js';
import { stage } from './viewer.js';
import { newest } from './task.js';

/** Fill `root`. */
export async function mountRedraw(root, shell, model, signal) {
  const { image } = model.manifest;
  const options = () => ({ label: labelFrom(shell, model), signal });
  const seen = blank(image, { class: 'picture', role: 'img',
    'aria-label': `Your picture as the model sees it, ${image.width} by ${image.height}` });
  const result = stage(shell, image, () => ({
    title: 'Your picture, drawn by the model', name: `${model.name}-redrawn`,
  }));
  const varied = variations(shell, model, options);
  const redraw = newest(() => shell.attempt(async () => {
    const { values, picture } = paper.read();
    paint(seen, picture);
    if (!paper.drawn) return;
    const code = await model.encode(values, { signal });
    const [drawn] = await model.decode(code.mean, options());
    if (signal.aborted) return;
    result.show(drawn);
    shell.say('Redrawn.');
    await varied.show(code);
  }, signal));
  const paper = new Paper(image, { onchange: redraw });
  const turn = tick('Turn light and dark over', false, (on) => { paper.invert = on; redraw(); });
  const put = (source, invert) => {
    paper.put(source);
    paper.invert = invert;
    turn.querySelector('input').checked = invert;
    return redraw();
  };
  const dark = darkEdge(model, image, signal);

  const load = (files) => shell.attempt(async () => {
    const bitmap = await middle(onlyPicture(files), image);
    // A dark drawing on white paper, where the model knows light ones on black: turned over.
    const over = edgeOf(bitmap, image) > 0.6 && await dark;
    await put(bitmap, over);
    bitmap.close();
  }, signal);
  const example = () => shell.attempt(async () => {
    const { golden } = model.manifest;
    const first = Math.floor(Math.random() * golden.count);
    const [drawn] = await model.draw(golden.seed, { first, count: 1, ...options() });
    await put(enlarged(drawn, 1), false);
  }, signal);
  const clear = () => {
    paper.clear();
    varied.box.hidden = true;
    paint(seen, paper.read().picture);
  };
  const input = element('div', { class: 'panel drop' }, element('h2', {}, 'Yours'), paper.canvas);
  root.append(
    element('p', { class: 'soft' }, 'Draw below with a finger or a mouse, or bring a picture: it '
      + 'can be loaded, dropped or pasted.'),
    element('div', { class: 'controls' },
      element('div', { class: 'row' }, fileButton(load), button('Use an example', example),
        button('Clear', clear)),
      labelField(shell, model, redraw)),
    element('div', { class: 'three' }, input,
      element('div', { class: 'panel' }, element('h2', {}, 'The model sees'), seen),
      element('div', { class: 'panel' }, element('h2', {}, 'It draws'), result.box)),
    element('div', { class: 'controls' }, brushFields(paper, image), turn),
    varied.box);
  clear();
  listen(input, load, signal);
}

/** A button that lets people choose a picture, or take one where there is a camera. */
function fileButton(load) {
  const file = element('input', { type: 'file', accept: 'image/*', class: 'unseen' });
  file.addEventListener('change', () => {
    if (file.files.length) load([...file.files]);
    file.value = ''; // the same file may be chosen again
  });
  return element('label', { class: 'button' }, file, 'Load a picture');
}

function brushFields(paper, image) {
  const brush = slider({ label: 'Brush', min: 1, max: Math.max(4, image.width / 4), step: 0.5,
    value: paper.thickness, show: (v) => `${v} pixels`, oninput: (v) => { paper.thickness = v; } });
  const colour = image.channels === 3 && field('Colour', element('input', { type: 'color',
    value: paper.colour, oninput: (event) => { paper.colour = event.target.value; } }));
  return [brush.box, colour];
}

/** Mean brightness of a picture's edge, 0 to 1. */
function edgeOf(source, image) {
  const paper = new Paper(image, { onchange: () => null });
  paper.put(source);
  return paper.edge();
}

/** Whether the model's pictures have dark edges, as handwriting on black has. */
async function darkEdge(model, image, signal) {
  try {
    const [drawn] = await model.draw(model.manifest.golden.seed, { count: 1, signal });
    return edgeOf(enlarged(drawn, 1), image) < 0.25;
  } catch {
    return false; // what is wrong with the model is told where it is used
  }
}

/** Take what is dropped on an element, and pasted anywhere on the page. */
function listen(target, load, signal) {
  for (const kind of ['dragover', 'dragleave', 'drop']) {
    target.addEventListener(kind, (event) => {
      event.preventDefault();
      target.classList.toggle('over', kind === 'dragover');
      if (kind === 'drop') load(event.dataTransfer.files);
    }, { signal });
  }
  document.addEventListener('paste', (event) => {
    if (event.target.closest?.('input, textarea')) return;
    const { files } = event.clipboardData;
    if (files.length) load(files);
  }, { signal });
}
