"use strict";
// The player of one page of pose sequences; `page.py` puts this, the style and the data into one HTML file.
// A track is one person's joints as one method gives them; its `values` are T * J * 3 numbers in m, or in px
// with z = 0, and NaN where missing. Frames count from 0. The camera frame is x right, y down, z away.

(() => {
const DATA = JSON.parse(document.getElementById("page-data").textContent);
const byId = (id) => document.getElementById(id);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children); // strings become text nodes: nothing of the data is ever read as HTML
  return made;
}

function fillSelect(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  select.value = chosen;
}

// ---- Unpacking: see the top of page.py --------------------------------------------------------------------

const MISSING = 0xffff;

async function unpack(track, frames, joints, dims) {
  const packed = Uint8Array.from(atob(track.data), (char) => char.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = frames * joints * dims, values = new Float32Array(frames * joints * 3); // z stays 0 in 2D
  for (let channel = 0; channel < joints * dims; channel++) {
    let level = track.origin[channel];
    for (let t = 0, i = channel * frames; t < frames; t++, i++) {
      const code = bytes[i] | (bytes[count + i] << 8);
      if (code !== MISSING) level += (code >>> 1) ^ -(code & 1);
      const at = (t * joints + Math.floor(channel / dims)) * 3 + channel % dims;
      values[at] = code === MISSING ? NaN : level * track.step;
    }
  }
  return values;
}

async function load(index) {
  const { name, fps, frames, dims, unit, views, layout: layoutIndex, tracks: packed } = DATA.sequences[index];
  const layout = DATA.layouts[layoutIndex], joints = layout.joints.length;
  const tracks = await Promise.all(packed.map(async (track) => {
    const values = await unpack(track, frames, joints, dims);
    const sigma = track.sigma ? await unpack(track.sigma, frames, joints, 1) : null;
    return { name: track.name, role: track.role, place: track.place, person: track.person, values, sigma,
      roots: meanOfJoints(values, frames, joints, layout.root) };
  }));
  const people = [...new Set(tracks.map((track) => track.person))];
  return { index, name, fps, frames, flat: dims === 2, unit, views, layout, joints, tracks, people, curves: new Map() };
}

function meanOfJoints(values, frames, joints, chosen) {
  return Float32Array.from({ length: frames * 3 }, (_, i) => {
    const t = Math.floor(i / 3), d = i % 3;
    return chosen.reduce((sum, joint) => sum + values[(t * joints + joint) * 3 + d], 0) / chosen.length;
  });
}

// ---- Measures: one number a frame, NaN where it cannot be said --------------------------------------------

// Binomial weights of the differences of order 0 to 3; the value is put at the frame in their middle.
const DIFFERENCES = [[1], [-1, 1], [1, -2, 1], [-1, 3, -3, 1]];

// Mean over the `chosen` joints of |difference of the given order of (track - other)|, in mm or px.
function meanNorm(sequence, track, { order = 0, other = null, rootRelative = false, chosen = null }) {
  const { frames, joints } = sequence, scale = scaleOf(sequence), weights = DIFFERENCES[order];
  const list = chosen ?? [...Array(joints).keys()], before = Math.ceil(order / 2);
  const curve = new Float32Array(frames).fill(NaN);
  for (let t = before; t < frames - (order - before); t++) {
    let total = 0, seen = 0;
    for (const joint of list) {
      let square = 0;
      for (let d = 0; d < 3; d++) {
        let sum = 0;
        for (let k = 0; k <= order; k++) {
          const at = t - before + k, i = (at * joints + joint) * 3 + d, r = at * 3 + d;
          let value = other ? track.values[i] - other.values[i] : track.values[i];
          if (rootRelative) value -= track.roots[r] - other.roots[r];
          sum += weights[k] * value;
        }
        square += sum * sum;
      }
      if (square === square) { total += Math.sqrt(square); seen++; }
    }
    if (seen) curve[t] = total / seen * scale;
  }
  return curve;
}

function coordinate(sequence, track, axis, joint) {
  const scale = scaleOf(sequence), at = joint * 3 + axis, width = sequence.joints * 3;
  return Float32Array.from({ length: sequence.frames }, (_, t) => track.values[t * width + at] * scale);
}

// The standard deviation of a track's coordinate in each frame, or null where nothing says it or this is none.
function bandOf(sequence, track, key, joint) {
  if (!track.sigma || !MEASURES[key].signed) return null;
  const scale = scaleOf(sequence), width = sequence.joints * 3;
  return Float32Array.from({ length: sequence.frames }, (_, t) => track.sigma[t * width + joint * 3] * scale);
}

const scaleOf = (sequence) => sequence.flat ? 1 : 1000;
const jointName = (sequence, joint) => sequence.layout.joints[joint].replaceAll("_", " ");
const personName = (person) => /^\d+$/.test(person) ? `${state.sequence?.views ? "view" : "person"} ${person}` : person;
const partner = (sequence, track, role) =>
  sequence.tracks.find((other) => other.role === role && other.person === track.person && other !== track);

// As the evaluation does, 3D errors are taken after the root is subtracted from both poses, 2D errors as is.
const MEASURES = {
  error: { label: (s) => s.flat ? "MPJPE" : "MPJPE, root-relative", needs: "truth",
    curve: (s, track, other) => meanNorm(s, track, { other, rootRelative: !s.flat }) },
  accelError: { label: () => "Accel error", unit: "/frame²", needs: "truth",
    curve: (s, track, other) => meanNorm(s, track, { order: 2, other, rootRelative: !s.flat }) },
  jointError: { label: (s, name) => `Error of ${name}`, needs: "truth", ofJoint: true,
    curve: (s, track, other, j) => meanNorm(s, track, { other, rootRelative: !s.flat, chosen: [j] }) },
  accel: { label: () => "Acceleration", unit: "/frame²",
    curve: (s, track) => meanNorm(s, track, { order: 2 }) },
  jerk: { label: () => "Jitter (jerk)", unit: "/frame³",
    curve: (s, track) => meanNorm(s, track, { order: 3 }) },
  change: { label: () => "Distance from input", needs: "input",
    curve: (s, track, other) => meanNorm(s, track, { other }) },
};
["x (right)", "y (down)", "z (away)"].forEach((axis, d) => {
  MEASURES[axis[0]] = { label: (s, name) => `${name}: ${axis}`, ofJoint: true, signed: true,
    curve: (s, track, other, joint) => coordinate(s, track, d, joint) };
});

const unitOf = (sequence, key) => {
  const per = MEASURES[key].unit ?? "";
  return /^\w+$/.test(sequence.unit) || !per ? sequence.unit + per : `${per.replace("/", "per ")}, ${sequence.unit}`;
};
const isAvailable = (sequence, key) => !(key === "z" && sequence.flat)
  && sequence.tracks.some((track) => comparedWith(sequence, track, key) !== null);

// What the track is compared with in this measure: another track, undefined for nothing, or null where there
// is no partner. The truth is never judged.
function comparedWith(sequence, track, key) {
  const { needs } = MEASURES[key];
  if (!needs) return undefined;
  return track.role === needs || track.role === "truth" ? null : partner(sequence, track, needs) ?? null;
}

function curveOf(sequence, track, key, joint) {
  const measure = MEASURES[key], other = comparedWith(sequence, track, key);
  if (other === null) return null;
  const id = [sequence.tracks.indexOf(track), key, measure.ofJoint ? joint : ""].join();
  if (!sequence.curves.has(id)) sequence.curves.set(id, measure.curve(sequence, track, other, joint));
  return sequence.curves.get(id);
}

const seenOf = (curve) => curve.filter((value) => value === value); // NaN differs from itself
const meanOf = (curve) => seenOf(curve).reduce((sum, value, _, all) => sum + value / all.length, 0);

// ---- State ------------------------------------------------------------------------------------------------

const START_VIEW = { yaw: -0.5, pitch: 0.2 };
const state = {
  sequence: null, person: "", frame: 0, playing: false, speed: 1, joint: 0, trail: 1,
  hidden: new Set(), // names of tracks
  sideBySide: false, align: false, follow: false,
  ...START_VIEW, zoom: 1, panX: 0, panY: 0,
  from: 0, to: 0, // the frames that the curves show
};
const drawTimes = []; // ms, the latest 600, for whoever wants to know

// Okabe & Ito's colours, which colour-blind readers can tell apart, some a little lighter on dark ground.
const COLOURS = {
  light: { ...DATA.palette.light,
    back: "#ffffff", ink: "#1b1f23", soft: "#57606a", grid: "#e1e4e8" },
  dark: { ...DATA.palette.dark,
    back: "#14171a", ink: "#e8eaed", soft: "#a3abb3", grid: "#2b3036" },
};
// Later roles are drawn over earlier ones, which are wider, so that tracks that agree are all seen. Curves
// differ in their dashes as well as in colour.
const ROLES = {
  input: { limb: 1.35, curve: 1.25, dashes: [] }, filter: { limb: 1.1, curve: 1.5, dashes: [6, 3] },
  truth: { limb: 0.8, curve: 1.5, dashes: [2, 2] }, refined: { limb: 0.8, curve: 2, dashes: [] },
};
const LAYERS = Object.keys(ROLES);
const byLayer = (tracks) => [...tracks].sort((a, b) => LAYERS.indexOf(a.role) - LAYERS.indexOf(b.role));
const darkScheme = matchMedia("(prefers-color-scheme: dark)");
const colours = () => COLOURS[darkScheme.matches ? "dark" : "light"];

// `place`: of the track's colour in its role, see palette.py.
const colourOf = ({ role, place }) => colours()[role][place];

// A colour on its way to the background; unlike a transparent one it looks the same where limbs cross.
function faded(colour, share) {
  const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const back = parts(colours().back);
  return `rgb(${parts(colour).map((part, i) => Math.round(part + (back[i] - part) * share)).join()})`;
}

function swatchOf(track) {
  const swatch = element("i", { class: "swatch" });
  swatch.style.background = colourOf(track);
  return swatch;
}

const isShown = (track) => !state.hidden.has(track.name);
const tracksOfPerson = () => state.sequence.tracks.filter((track) => track.person === state.person);

// The track that others are laid over and that the view is fitted to.
const reference = (sequence, person) => ["truth", "refined", "filter", "input"]
  .map((role) => sequence.tracks.find((track) => track.role === role && track.person === person))
  .find((track) => track);

function format(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size < 1) return size < 0.0005 ? "0" : value.toPrecision(2);
  return value.toFixed(size >= 1000 ? 0 : size >= 10 ? 1 : 2);
}

// ---- Skeletons --------------------------------------------------------------------------------------------

const stage = byId("stage");
let camera = null; // what the view is fitted to, see fitView
let pickable = []; // joints as drawn last: [x, y, joint]
let panels = []; // as drawn last

// Find the path that the view's middle takes and how much room the people need around it.
function fitView() {
  const { sequence, follow } = state, { frames, joints, flat } = sequence;
  const tracks = (follow ? [state.person] : sequence.people).map((person) => reference(sequence, person));
  const path = follow ? smoothedRoots(sequence, tracks[0]) : new Float32Array(frames * 3);
  const drawn = follow ? sequence.tracks.filter(({ person }) => person === state.person) : sequence.tracks;
  const stride = Math.max(1, Math.round(frames * joints * drawn.length / 30000));
  // All but the farthest of what is seen along one axis; one wild joint shall not make the person small.
  const rangeOf = (d, origin) => {
    const found = [];
    for (const { values } of drawn)
      for (let t = 0; t < frames; t += stride) {
        const from = origin ? origin[t * 3 + d] : 0;
        for (let j = 0; j < joints; j++) found.push(values[(t * joints + j) * 3 + d] - from);
      }
    const seen = found.filter((value) => value === value).sort((a, b) => a - b), last = seen.length - 1;
    return last < 0 ? [-1, 1] : [seen[Math.round(0.002 * last)], seen[Math.round(0.998 * last)]];
  };
  const ranges = [0, 1, 2].map((d) => rangeOf(d, path));
  const half = ranges.map(([low, high]) => Math.max((high - low) / 2, 1e-9));
  const radius = flat ? half[0] : Math.hypot(half[0], half[2]); // in 3D enough from every side
  const middle = ranges.map(([low, high]) => (low + high) / 2);
  camera = { path, middle, radius, height: half[1], floor: rangeOf(1)[1] };
}

// Mean of the root over half a second to each side, so that following it does not shake the view.
function smoothedRoots({ frames, fps }, { roots }) {
  const path = new Float32Array(frames * 3), reach = Math.round(fps / 2);
  for (let d = 0; d < 3; d++)
    for (let t = 0, latest = 0; t < frames; t++) {
      let sum = 0, seen = 0;
      for (let near = Math.max(0, t - reach); near <= Math.min(frames - 1, t + reach); near++) {
        const value = roots[near * 3 + d];
        if (value === value) { sum += value; seen++; }
      }
      if (seen) latest = sum / seen;
      path[t * 3 + d] = latest;
    }
  return path;
}

// From the camera frame to the viewer's: right, down, away.
function rotate(x, y, z) {
  if (state.sequence.flat) return [x, y, z];
  const [cosYaw, sinYaw, cosPitch, sinPitch] =
    [Math.cos(state.yaw), Math.sin(state.yaw), Math.cos(state.pitch), Math.sin(state.pitch)];
  const away = cosYaw * z - sinYaw * x;
  return [cosYaw * x + sinYaw * z, cosPitch * y - sinPitch * away, sinPitch * y + cosPitch * away];
}

// A function from a point of the current frame to [x, y, depth, size] on the panel; size is perspective's.
function projector(panel) {
  const { flat } = state.sequence, { middle, path, radius, height } = camera;
  const centre = middle.map((value, d) => value + path[state.frame * 3 + d]);
  const [level, tilt] = flat ? [1, 0] : [Math.cos(state.pitch), Math.abs(Math.sin(state.pitch))];
  const tall = height * level + 1.3 * radius * tilt; // the floor is a little wider than the people
  const room = [panel.width - 24, panel.height - 60]; // beside the buttons above and the names below
  const scale = Math.min(room[0] / radius, room[1] / tall) / 2 * state.zoom;
  const distance = flat ? Infinity : 8 * Math.max(radius, height);
  const left = panel.x + panel.width / 2 + state.panX, top = panel.y + panel.height / 2 + 5 + state.panY;
  return (x, y, z) => {
    const [right, down, depth] = rotate(x - centre[0], y - centre[1], z - centre[2]);
    const size = flat ? 1 : distance / Math.max(distance + depth, distance / 10);
    return [left + right * scale * size, top + down * scale * size, depth, size];
  };
}

// The joint of a track in frame t, moved so that the track's root lies on the reference's if that is wanted.
function place(track, t, joint) {
  const { values } = track, i = (t * state.sequence.joints + joint) * 3;
  const point = [values[i], values[i + 1], values[i + 2]];
  const base = state.align && reference(state.sequence, track.person);
  for (let d = 0; base && d < 3; d++) point[d] += base.roots[t * 3 + d] - track.roots[t * 3 + d] || 0;
  return point;
}

function drawStage() {
  const { context, width, height } = fitCanvas(stage), theme = colours(), { sequence } = state;
  context.fillStyle = theme.back;
  context.fillRect(0, 0, width, height);
  context.lineCap = context.lineJoin = "round";
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  pickable = [];
  panels = panelsOf(byLayer(sequence.tracks.filter(isShown)), width, height);
  for (const panel of panels) {
    context.save();
    context.beginPath();
    context.rect(panel.x, panel.y, panel.width, panel.height);
    context.clip();
    const project = projector(panel);
    if (!sequence.flat) drawFloor(context, project, theme);
    const depthOf = (person) =>
      project(...place(reference(sequence, person), state.frame, sequence.layout.root[0]))[2] || 0;
    for (const person of [...sequence.people].sort((a, b) => depthOf(b) - depthOf(a))) // the far ones first
      drawPerson(context, project, person, panel, theme);
    context.restore();
    context.fillStyle = theme.ink;
    context.font = "600 13px system-ui, sans-serif";
    const [x, y] = [panel.x + panel.width / 2, panel.y + panel.height - 10];
    if (panel.title) context.fillText(panel.title, x, y, panel.width - 8);
    if (panel.person === state.person) { // the view whose curves are shown
      [context.strokeStyle, context.lineWidth] = [theme.ink, 1];
      context.strokeRect(panel.x + 2.5, panel.y + 2.5, panel.width - 5, panel.height - 5);
    }
  }
  if (!sequence.flat) drawAxes(context, height, theme);
}

// One panel, or one for each view or track name; as many in a row as make the people largest.
function panelsOf(tracks, width, height) {
  const { views, people } = state.sequence, keyOf = ({ name, person }) => views ? person : name;
  const names = views ? [...people] : [...new Set(tracks.map((track) => track.name))];
  if (!(views || state.sideBySide) || names.length < 2) return [{ x: 0, y: 0, width, height, tracks }];
  const top = byId("views").offsetHeight + 8;
  height -= top;
  let columns = 1, best = 0;
  for (let count = 1; count <= names.length; count++) {
    const rows = Math.ceil(names.length / count);
    const size = Math.min(width / count / camera.radius, height / rows / camera.height);
    if (size > best) [columns, best] = [count, size];
  }
  const [w, h] = [width / columns, height / Math.ceil(names.length / columns)];
  if (!views) names.sort((a, b) => trackNames().indexOf(a) - trackNames().indexOf(b));
  return names.map((name, i) => ({
    x: i % columns * w, y: top + Math.floor(i / columns) * h, width: w, height: h,
    title: name, person: views ? name : null, tracks: tracks.filter((track) => keyOf(track) === name),
  }));
}

const trackNames = () => [...new Set(state.sequence.tracks.map((track) => track.name))];

function drawPerson(context, project, person, panel, theme) {
  const { sequence } = state, chosen = sequence.views || person === state.person;
  const thick = clamp(Math.min(panel.width, panel.height) / 90, 3, 5) * clamp(Math.sqrt(state.zoom), 0.7, 2);
  const tracks = panel.tracks.filter((track) => track.person === person);
  let top = [0, Infinity];
  for (const track of tracks) {
    const colour = chosen ? colourOf(track) : faded(colourOf(track), 0.6);
    if (state.trail > 0) drawTrail(context, project, track, colour);
    const points = sequence.layout.joints.map((_, joint) => project(...place(track, state.frame, joint)));
    drawLimbs(context, points, colour, thick * (panel.title ? 1 : ROLES[track.role].limb), theme.back);
    points.forEach(([x, y], joint) => {
      if (y < top[1]) top = [x, y];
      if (chosen && x === x) pickable.push([x, y, joint]);
    });
  }
  const last = tracks.at(-1), [x, y] = last ? project(...place(last, state.frame, state.joint)) : [NaN];
  [context.strokeStyle, context.lineWidth] = [theme.ink, 1.5];
  if (chosen && x === x) circle(context, x, y, 1.5 * thick + 3).stroke();
  if (sequence.views || sequence.people.length < 2 || top[1] === Infinity) return;
  context.fillStyle = chosen ? theme.ink : theme.soft;
  context.font = "12px system-ui, sans-serif";
  context.fillText(personName(person), top[0], top[1] - 12);
}

function drawLimbs(context, points, colour, thick, back) {
  const { edges, sides } = state.sequence.layout, dotSize = edges.length ? 0.7 : 1;
  const limbs = edges.map(([a, b]) => ({ a: points[a], b: points[b], depth: (points[a][2] + points[b][2]) / 2,
    isLeft: [sides[a], sides[b]].includes("left") && ![sides[a], sides[b]].includes("right") }));
  const parts = [...limbs, ...points.map((a) => ({ a, b: a, depth: a[2] - 1e-6 }))];
  parts.sort((one, other) => other.depth - one.depth);
  for (const { a, b, isLeft } of parts) {
    if (a[0] !== a[0] || b[0] !== b[0]) continue; // missing
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = thick * a[3];
    if (a === b) circle(context, a[0], a[1], thick * a[3] * dotSize).fill();
    else line(context, a[0], a[1], b[0], b[1]);
    if (!isLeft) continue;
    context.strokeStyle = back; // left limbs are hollow, right ones solid
    context.lineWidth *= 0.5;
    line(context, a[0], a[1], b[0], b[1]);
  }
}

// Where the chosen joint has been, fading with age.
function drawTrail(context, project, track, colour) {
  const { sequence, frame, joint } = state;
  const first = Math.max(0, frame - Math.round(state.trail * sequence.fps));
  context.strokeStyle = colour;
  context.lineWidth = 2;
  for (let t = first, before = [NaN]; t <= frame; t++) {
    const point = project(...place(track, t, joint));
    context.globalAlpha = 0.9 * (t - first) / Math.max(1, frame - first);
    if (!Number.isNaN(point[0] + before[0])) line(context, before[0], before[1], point[0], point[1]);
    before = point;
  }
  context.globalAlpha = 1;
}

function line(context, x, y, toX, toY) {
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(toX, toY);
  context.stroke();
}

function circle(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  return context;
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * power;
}

// Level lines of the camera frame under the feet: a help to the eye, not the measured ground.
function drawFloor(context, project, theme) {
  const { middle, path, radius, floor } = camera, step = niceStep(radius / 2.5);
  const reach = Math.ceil(radius / step);
  const [x, z] = [0, 2].map((d) => Math.round((middle[d] + path[state.frame * 3 + d]) / step) * step);
  context.strokeStyle = theme.grid;
  context.lineWidth = 1;
  for (let k = -reach; k <= reach; k++)
    for (const [from, to] of [[[k, -reach], [k, reach]], [[-reach, k], [reach, k]]]) {
      const ends = [from, to].map(([across, away]) => project(x + across * step, floor, z + away * step));
      line(context, ends[0][0], ends[0][1], ends[1][0], ends[1][1]);
    }
}

function drawAxes(context, height, theme) {
  const x0 = 32, y0 = height - 40, length = 22;
  context.strokeStyle = context.fillStyle = theme.soft;
  context.lineWidth = 1.5;
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  ["x", "y", "z"].forEach((name, axis) => {
    const [right, down] = rotate(...[0, 1, 2].map((d) => Number(d === axis)));
    line(context, x0, y0, x0 + right * length, y0 + down * length);
    const far = length + 9;
    if (Math.hypot(right, down) > 0.2) context.fillText(name, x0 + right * far, y0 + down * far);
  });
}

// The canvas at the screen's resolution, with a context that counts in CSS pixels.
function fitCanvas(canvas) {
  const ratio = Math.min(devicePixelRatio || 1, 2), { clientWidth: width, clientHeight: height } = canvas;
  const [pixelWidth, pixelHeight] = [width, height].map((length) => Math.max(1, Math.round(length * ratio)));
  if (canvas.width !== pixelWidth) canvas.width = pixelWidth;
  if (canvas.height !== pixelHeight) canvas.height = pixelHeight;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height, ratio };
}

// ---- Curves -----------------------------------------------------------------------------------------------

const MARGIN = { left: 50, right: 10, top: 8, bottom: 20 };
const charts = [1, 2, 3].map((number) => {
  const select = element("select", { "aria-label": `Curve ${number}` });
  const unit = element("span", { class: "unit" }), now = element("div", { class: "now" });
  const canvas = element("canvas", { tabindex: 0, role: "slider", "aria-valuemin": 0 });
  byId("curves").append(element("div", { class: "chart" },
    element("div", { class: "head" }, select, unit, now), element("div", { class: "plot" }, canvas)));
  return { select, unit, now, canvas, key: "", curves: [], still: element("canvas"), stale: true };
});

function offerMeasures() {
  const { sequence } = state, joint = jointName(sequence, state.joint);
  const keys = Object.keys(MEASURES).filter((key) => isAvailable(sequence, key));
  const defaults = keys.includes("error") ? ["error", "accelError", "y"]
    : ["accel", keys.includes("change") ? "change" : "jerk", "y"];
  charts.forEach((chart, i) => {
    if (!keys.includes(chart.key)) chart.key = defaults[i];
    fillSelect(chart.select, keys.map((key) => [key, MEASURES[key].label(sequence, joint)]), chart.key);
  });
  refreshCharts();
}

function refreshCharts() {
  const { sequence } = state;
  for (const chart of charts) {
    chart.curves = tracksOfPerson().filter(isShown).flatMap((track) => {
      const values = curveOf(sequence, track, chart.key, state.joint);
      const band = values && bandOf(sequence, track, chart.key, state.joint);
      return values ? [{ track, role: track.role, values, band, number: element("b") }] : [];
    });
    chart.now.replaceChildren(...chart.curves.map(({ track, number }) =>
      element("span", { title: track.name }, swatchOf(track), number)));
    const shaded = chart.curves.some(({ band }) => band);
    chart.unit.textContent = unitOf(sequence, chart.key) + (shaded ? ", band: ± σ" : "");
    chart.unit.title = shaded ? "the estimated standard deviation of the refined coordinate's error" : "";
    chart.canvas.setAttribute("aria-label", `${chart.select.selectedOptions[0].textContent} over time`);
    chart.canvas.setAttribute("aria-valuemax", sequence.frames - 1);
    chart.stale = true;
  }
  requestDraw();
}

const plotWidth = (width) => width - MARGIN.left - MARGIN.right;
const xOf = (frame, width) =>
  MARGIN.left + (frame - state.from) / Math.max(1, state.to - state.from) * plotWidth(width);
const yOf = ({ low, high }, value, height) =>
  height - MARGIN.bottom - (value - low) / (high - low) * (height - MARGIN.bottom - MARGIN.top);

// Call `mark(value, text)` for round values from low to high, about `count` of them.
function forTicks(low, high, count, mark) {
  const step = niceStep((high - low) / Math.max(count, 1));
  const decimals = clamp(-Math.floor(Math.log10(step) + 1e-9), 0, 6);
  for (let k = Math.ceil(low / step - 1e-9); k <= high / step + 1e-9; k++)
    mark(k * step, (k * step).toFixed(decimals));
}

// The curves change rarely: they are drawn once on `still`, and every frame adds only the cursor.
function drawStill(chart, width, height, ratio) {
  const { still, curves } = chart, { from, to, sequence: { fps } } = state, theme = colours();
  [still.width, still.height] = [chart.canvas.width, chart.canvas.height];
  const context = still.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const { signed } = MEASURES[chart.key];
  let low = signed ? Infinity : 0, high = -Infinity;
  for (const { values, band } of curves)
    for (let t = Math.ceil(from); t <= to; t++) {
      const off = band?.[t] || 0; // NaN where it is not known
      if (values[t] - off < low) low = values[t] - off;
      if (values[t] + off > high) high = values[t] + off;
    }
  if (!Number.isFinite(low + high)) [low, high] = [0, 1];
  const room = Math.max((high - low) * 0.06, 1e-3);
  [chart.low, chart.high] = [signed ? low - room : 0, high + room];

  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.strokeStyle = theme.grid;
  context.fillStyle = theme.soft;
  forTicks(chart.low, chart.high, (height - MARGIN.top - MARGIN.bottom) / 24, (value, text) => {
    const y = Math.round(yOf(chart, value, height)) + 0.5;
    line(context, MARGIN.left, y, width - MARGIN.right, y);
    context.fillText(text, MARGIN.left - 6, y);
  });
  context.textAlign = "center";
  let unit = " s"; // once is enough
  forTicks(from / fps, Math.max(to, from + 1) / fps, width / 90, (value, text) => {
    context.fillText(text + unit, Math.min(xOf(value * fps, width), width - 16), height - 8);
    unit = "";
  });
  context.beginPath();
  context.rect(MARGIN.left, 0, plotWidth(width), height - MARGIN.bottom + 1);
  context.clip();
  context.lineJoin = "round";
  const place = [(t) => xOf(t, width), (value) => yOf(chart, value, height), plotWidth(width)];
  for (const { track, values, band } of byLayer(curves)) {
    context.fillStyle = colourOf(track);
    if (band) drawBand(context, values, band, ...place);
  }
  for (const { track, role, values } of byLayer(curves)) {
    context.strokeStyle = colourOf(track);
    drawCurve(context, values, ROLES[role], ...place);
  }
  chart.stale = false;
}

// The band between values - sigma and values + sigma, where both are known, in the context's colour.
function drawBand(context, values, sigma, x, y) {
  const last = Math.min(values.length - 1, Math.ceil(state.to));
  context.globalAlpha = 0.25;
  for (let t = Math.max(0, Math.floor(state.from)); t <= last; t++) {
    const start = t, known = (i) => i <= last && values[i] + sigma[i] === values[i] + sigma[i];
    while (known(t)) t++;
    if (t === start) continue;
    context.beginPath();
    for (let i = start; i < t; i++) context.lineTo(x(i), y(values[i] + sigma[i]));
    for (let i = t - 1; i >= start; i--) context.lineTo(x(i), y(values[i] - sigma[i]));
    context.fill();
  }
  context.globalAlpha = 1;
}

function drawCurve(context, values, { curve, dashes }, x, y, width) {
  const first = Math.max(0, Math.floor(state.from)), last = Math.min(values.length - 1, Math.ceil(state.to));
  const perPixel = (last - first) / width, dense = perPixel > 2;
  context.lineWidth = dense ? 1 : curve;
  context.setLineDash(perPixel > 1 ? [] : dashes);
  context.beginPath();
  let pen = false;
  const draw = (t, value) => {
    const seen = value === value;
    if (seen && !pen) context.moveTo(x(t) - 0.5, y(value)); // so a frame on its own is a dot
    if (seen) context.lineTo(x(t), y(value));
    pen = seen;
  };
  // Of many frames to a pixel only the least and the greatest are drawn: no peak is lost, and it is fast.
  for (let t = first, column = 1; t <= last; column++) {
    const start = t, end = dense ? Math.min(last, first + column * perPixel) : t;
    let least = values[t], greatest = values[t];
    for (; t <= end; t++) {
      if (!(values[t] >= least) && values[t] === values[t]) least = values[t];
      if (!(values[t] <= greatest) && values[t] === values[t]) greatest = values[t];
    }
    draw(start, least);
    if (greatest > least) draw(start, greatest);
  }
  context.stroke();
  context.setLineDash([]);
}

function drawCharts() {
  for (const chart of charts) {
    const { context, width, height, ratio } = fitCanvas(chart.canvas), { still, canvas } = chart;
    const fits = still.width === canvas.width && still.height === canvas.height;
    if (chart.stale || !fits) drawStill(chart, width, height, ratio);
    context.clearRect(0, 0, width, height);
    context.drawImage(still, 0, 0, width, height);
    const x = xOf(state.frame, width), cursor = Math.round(x) + 0.5;
    context.strokeStyle = colours().ink;
    context.lineWidth = 1;
    line(context, cursor, MARGIN.top - 4, cursor, height - MARGIN.bottom);
    for (const { track, values, number } of byLayer(chart.curves)) {
      const value = values[state.frame];
      number.textContent = format(value);
      context.fillStyle = colourOf(track);
      if (value === value) circle(context, x, yOf(chart, value, height), 3.5).fill();
    }
  }
}

function setRange(from, to) {
  const last = state.sequence.frames - 1, span = clamp(to - from, Math.min(8, last), last);
  state.from = clamp(from, 0, last - span);
  state.to = state.from + span;
  for (const chart of charts) chart.stale = true;
  requestDraw();
}

// Show `factor` times as much time, with the frame `at` staying where it is.
const zoomTime = (factor, at = state.frame) =>
  setRange(at - (at - state.from) * factor, at + (state.to - at) * factor);

// ---- Worst moments ----------------------------------------------------------------------------------------

const WORST_COUNT = 12;
let worst = [];
let ranking = 0; // the latest request; one that is overtaken by another is dropped

// By which measure of which role: the refined error where there is truth, else the input's acceleration.
function rankedBy(sequence) {
  const key = isAvailable(sequence, "error") ? "error" : "accel";
  const roles = key === "error" ? ["refined", "filter", "input"] : ["input", "refined", "filter", "truth"];
  const measured = sequence.tracks.filter((track) => comparedWith(sequence, track, key) !== null);
  return { key, role: roles.find((role) => measured.some((track) => track.role === role)) };
}

// A sequence's peaks that lie at least a second apart.
function worstOf(sequence) {
  const { key, role } = rankedBy(sequence), { fps } = sequence, found = [];
  const ranked = sequence.tracks.filter((track) => track.role === role);
  const several = new Set(ranked.map(({ name }) => name)).size > 1; // filters, or networks, which are told apart
  for (const track of ranked) {
    const values = curveOf(sequence, track, key, 0) ?? [], input = partner(sequence, track, "input");
    const before = role !== "input" && input ? curveOf(sequence, input, key, 0) : null, taken = [];
    const frames = [...values.keys()].filter((t) => values[t] === values[t]);
    for (const frame of frames.sort((a, b) => values[b] - values[a])) {
      if (taken.length === WORST_COUNT) break;
      if (taken.some((other) => Math.abs(other - frame) < fps)) continue;
      taken.push(frame);
      const value = `${format(values[frame])} ${unitOf(sequence, key)}`;
      found.push({ sequence: sequence.index, person: track.person, frame, value: values[frame],
        where: [personName(track.person), several && track.name, `frame ${frame}`, `${(frame / fps).toFixed(1)} s`],
        text: before ? `${value} (input ${format(before[frame])})` : value });
    }
  }
  return found;
}

async function rankMoments() {
  const ticket = ++ranking, all = byId("worst-scope").value === "all", list = byId("worst-list");
  if (all) list.replaceChildren(element("li", { class: "note" }, "looking through all sequences …"));
  const { index: here, flat } = state.sequence, { key, role } = rankedBy(state.sequence);
  const found = worstOf(state.sequence);
  for (let i = 0; all && i < DATA.sequences.length; i++) {
    const other = i === here ? null : await load(i);
    const comparable = other && other.flat === flat && other.unit === state.sequence.unit && rankedBy(other).key === key; // of the same unit
    if (comparable) found.push(...worstOf(other));
  }
  if (ticket !== ranking) return;
  worst = found.sort((a, b) => b.value - a.value).slice(0, WORST_COUNT);
  byId("worst-title").textContent = `Worst moments by ${role} ${key === "error" ? "error" : "acceleration"}`;
  list.replaceChildren(...worst.map((moment) => {
    const { name } = DATA.sequences[moment.sequence], where = moment.where.filter(Boolean).join(" · ");
    const texts = all ? [name, where, moment.text] : [where, moment.text];
    moment.button = element("button", { type: "button", title: texts.join(" · ") },
      ...texts.map((text) => element("span", {}, text)));
    moment.button.addEventListener("click", () => jumpTo(moment));
    return element("li", {}, moment.button);
  }));
  if (!worst.length) list.append(element("li", { class: "note" }, "none: the sequence is too short"));
  markMoment();
}

async function jumpTo(moment) {
  if (moment.sequence !== state.sequence.index) await openSequence(moment.sequence, moment.person);
  else if (moment.person !== state.person) choosePerson(moment.person);
  stopAt(moment.frame);
  moment.button.scrollIntoView({ block: "nearest" });
}

const isHere = (moment) => moment.sequence === state.sequence.index && moment.person === state.person
  && moment.frame === state.frame;

function markMoment() {
  for (const moment of worst) moment.button.setAttribute("aria-current", isHere(moment));
}

function nextMoment(step) {
  const here = worst.findIndex(isHere);
  if (worst.length) jumpTo(worst[here < 0 ? 0 : (here + step + worst.length) % worst.length]);
}

// ---- Choosing and playing ---------------------------------------------------------------------------------

let opening = 0;

async function openSequence(index, person = state.person) {
  const ticket = ++opening, sequence = await load(index), before = state.sequence;
  if (ticket !== opening) return; // another one was asked for meanwhile
  const names = sequence.layout.joints, { people, frames, flat } = sequence;
  const sameJoint = before ? names.indexOf(before.layout.joints[state.joint]) : -1;
  state.sequence = sequence;
  state.joint = Math.max(0, sameJoint >= 0 ? sameJoint : names.indexOf("right_wrist"));
  state.person = people.includes(person) ? person : people[0];
  state.follow = walksFar(sequence);
  [state.from, state.to] = [0, frames - 1];
  if (before?.flat !== flat) {
    state.align = !flat && isAvailable(sequence, "error");
    resetView("start");
  }
  byId("align").checked = state.align;
  byId("follow").checked = state.follow;
  byId("sequence").value = index;
  byId("previous-sequence").disabled = index === 0;
  byId("next-sequence").disabled = index === DATA.sequences.length - 1;
  byId("person-field").hidden = people.length < 2;
  byId("person-field").firstElementChild.textContent = sequence.views ? "View" : "Person";
  byId("side-by-side").parentElement.hidden = sequence.views;
  byId("side-note").hidden = !sequence.layout.edges.length || !sequence.layout.sides.includes("left");
  byId("scrub").max = frames - 1;
  fillSelect(byId("person"), people.map((name) => [name, name || "(no name)"]), state.person);
  fillSelect(byId("joint"), names.map((_, joint) => [joint, jointName(sequence, joint)]), state.joint);
  for (const button of byId("views").children) button.hidden = flat && button.dataset.view !== "start";
  fitView();
  listTracks();
  offerMeasures();
  if (byId("worst-scope").value === "one") rankMoments();
  seek(0);
}

// Whether the person would be small if all places walked through were to fit the view.
function walksFar(sequence) {
  if (sequence.flat || sequence.people.length > 1) return false;
  const { roots } = reference(sequence, sequence.people[0]);
  return [0, 2].some((d) => {
    const path = seenOf(roots.filter((_, i) => i % 3 === d)).sort();
    return path.at(-1) - path[0] > 2.5;
  });
}

function choosePerson(person) {
  state.person = byId("person").value = person;
  fitView();
  listTracks();
  refreshCharts();
}

function chooseJoint(joint) {
  state.joint = joint;
  byId("joint").value = joint;
  offerMeasures();
}

// Toggles that are the legend as well, with the mean over the sequence of error or acceleration.
function listTracks() {
  const { sequence } = state, key = isAvailable(sequence, "error") ? "error" : "accel", names = trackNames();
  byId("tracks").replaceChildren(byId("tracks").firstElementChild, ...names.map((name) => {
    const track = [...tracksOfPerson(), ...sequence.tracks].find((candidate) => candidate.name === name);
    const box = element("input", { type: "checkbox", value: name }), curve = curveOf(sequence, track, key, 0);
    box.checked = !state.hidden.has(name);
    box.addEventListener("change", () => {
      state.hidden[box.checked ? "delete" : "add"](name);
      refreshCharts();
    });
    const mean = curve ? [element("small", {}, `${format(meanOf(curve))} ${unitOf(sequence, key)}`)] : [];
    const measure = curve ? `; mean over the sequence: ${MEASURES[key].label(sequence)}` : "";
    const title = `role: ${track.role}${measure}`;
    return element("label", { title }, box, swatchOf(track), name, ...mean);
  }));
  stage.setAttribute("aria-label", `Skeletons of ${names.join(", ")}`);
}

let clock = 0, position = 0; // the time of the latest tick in ms; the frame with its fraction

function seek(frame) {
  position = clamp(frame, 0, state.sequence.frames - 1);
  state.frame = Math.round(position);
  const span = state.to - state.from, from = state.frame - span * 0.1;
  if (state.frame < state.from || state.frame > state.to) setRange(from, from + span);
  requestDraw();
}

function setPlaying(playing) {
  if (playing && !state.playing) {
    clock = performance.now();
    if (state.frame === state.sequence.frames - 1) seek(0);
  }
  state.playing = playing;
  byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  byId("play-icon").setAttribute("d", playing ? "M3 2h4v12H3zM9 2h4v12H9z" : "M3 1v14l11-7z");
  requestDraw();
}

function stopAt(frame) {
  setPlaying(false);
  seek(frame);
  byId("announce").textContent = timeText();
}

function timeText() {
  const { frame, sequence } = state;
  return `frame ${frame} of ${sequence.frames - 1}, ${(frame / sequence.fps).toFixed(2)} s`;
}

function showPosition() {
  const { sequence, frame } = state;
  byId("scrub").value = frame;
  byId("time").textContent = `${frame} / ${sequence.frames - 1} · ${(frame / sequence.fps).toFixed(2)} s`;
  if (state.playing) return; // a screen reader need not hear sixty numbers a second
  byId("scrub").setAttribute("aria-valuetext", timeText());
  for (const { canvas, curves } of charts) {
    const values = curves.map(({ track, number }) => `${track.name} ${number.textContent}`);
    canvas.setAttribute("aria-valuenow", frame);
    canvas.setAttribute("aria-valuetext", [timeText(), ...values].join(", "));
  }
  markMoment();
}

let scheduled = false;

function requestDraw() {
  if (scheduled || !state.sequence) return;
  scheduled = true;
  requestAnimationFrame(tick);
}

function tick(now) {
  scheduled = false;
  if (state.playing) {
    const { frames, fps } = state.sequence;
    // A pause of the browser, as in a hidden tab, is not made up for.
    const next = (position + clamp(now - clock, 0, 250) / 1000 * fps * state.speed) % frames;
    clock = now;
    seek(Math.floor(next));
    position = next;
  }
  const start = performance.now();
  drawStage();
  drawCharts();
  drawTimes.push(performance.now() - start);
  if (drawTimes.length > 600) drawTimes.shift();
  showPosition();
  if (state.playing) requestDraw();
}

// ---- Mouse, touch and keys --------------------------------------------------------------------------------

const VIEWS = { start: START_VIEW, camera: { yaw: 0, pitch: 0 }, side: { yaw: Math.PI / 2, pitch: 0 },
  top: { yaw: 0, pitch: Math.PI / 2 } };

function resetView(view) {
  Object.assign(state, VIEWS[view], { zoom: 1, panX: 0, panY: 0 });
  requestDraw();
}

function turn(dx, dy) {
  state.yaw += dx;
  state.pitch = clamp(state.pitch + dy, -Math.PI / 2, Math.PI / 2);
  requestDraw();
}

function move(dx, dy) {
  state.panX += dx;
  state.panY += dy;
  requestDraw();
}

// Zoom about a point of the canvas, counted from its middle, so that what lies there stays.
function zoomView(factor, x = 0, y = 0) {
  const zoom = clamp(state.zoom * factor, 0.2, 30), change = zoom / state.zoom;
  state.zoom = zoom;
  move((x - state.panX) * (1 - change), (y - state.panY) * (1 - change));
}

function listenToStage() {
  const pointers = new Map(); // id -> [x, y], counted from the canvas's middle
  let moved = 0;
  const placeOf = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, placeOf(event));
    moved = pointers.size > 1 ? Infinity : 0;
  });
  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId), [x, y] = placeOf(event);
    if (!before) return;
    const dx = x - before[0], dy = y - before[1];
    moved += Math.hypot(dx, dy);
    if (pointers.size === 2) {
      const [, other] = [...pointers].find(([id]) => id !== event.pointerId);
      const spread = (point) => Math.max(Math.hypot(point[0] - other[0], point[1] - other[1]), 1);
      zoomView(spread([x, y]) / spread(before), (x + other[0]) / 2, (y + other[1]) / 2);
      move(dx / 2, dy / 2);
    } else if (state.sequence.flat || event.shiftKey) move(dx, dy);
    else turn(dx * 0.01, dy * 0.01);
    pointers.set(event.pointerId, [x, y]);
  });
  for (const end of ["pointerup", "pointercancel"])
    stage.addEventListener(end, (event) => {
      if (pointers.delete(event.pointerId) && end === "pointerup" && moved < 5) pickJoint(event);
    });
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomView(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0015)), ...placeOf(event));
  }, { passive: false });
  stage.addEventListener("dblclick", () => resetView("start"));
}

function pickJoint({ clientX, clientY, pointerType }) {
  const box = stage.getBoundingClientRect();
  const distance = ([x, y]) => Math.hypot(x - clientX + box.left, y - clientY + box.top);
  const [nearest] = pickable.sort((a, b) => distance(a) - distance(b));
  if (nearest && distance(nearest) < (pointerType === "touch" ? 24 : 12)) chooseJoint(nearest[2]);
  const [x, y] = [clientX - box.left, clientY - box.top];
  const view = panels.find((panel) => panel.person !== undefined && panel.person !== null
    && x >= panel.x && x < panel.x + panel.width && y >= panel.y && y < panel.y + panel.height);
  if (view && view.person !== state.person) choosePerson(view.person);
}

function listenToChart(chart) {
  const { canvas, select } = chart, pointers = new Map(); // id -> clientX
  const frameAt = (clientX) => {
    const box = canvas.getBoundingClientRect();
    const share = (clientX - box.left - MARGIN.left) / plotWidth(box.width);
    return clamp(state.from + share * (state.to - state.from), state.from, state.to);
  };
  canvas.addEventListener("pointerdown", ({ pointerId, clientX }) => {
    canvas.setPointerCapture(pointerId);
    pointers.set(pointerId, clientX);
    if (pointers.size === 1) seek(frameAt(clientX));
  });
  canvas.addEventListener("pointermove", ({ pointerId, clientX }) => {
    if (!pointers.has(pointerId)) return;
    const other = [...pointers].find(([id]) => id !== pointerId)?.[1];
    const spread = (x) => Math.max(Math.abs(x - other), 10);
    if (other === undefined) seek(frameAt(clientX));
    else zoomTime(spread(pointers.get(pointerId)) / spread(clientX), frameAt((clientX + other) / 2));
    pointers.set(pointerId, clientX);
  });
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, ({ pointerId }) => pointers.delete(pointerId));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomTime(Math.exp(event.deltaY * 0.002), frameAt(event.clientX));
  }, { passive: false });
  canvas.addEventListener("dblclick", () => setRange(0, state.sequence.frames - 1));
  select.addEventListener("change", () => {
    chart.key = select.value;
    refreshCharts();
  });
}

function changeSpeed(step) {
  const select = byId("speed");
  select.selectedIndex = clamp(select.selectedIndex + step, 0, select.options.length - 1);
  state.speed = Number(select.value);
}

const KEYS = {
  " ": () => setPlaying(!state.playing),
  ArrowLeft: (event) => stopAt(state.frame - (event.shiftKey ? 10 : 1)),
  ArrowRight: (event) => stopAt(state.frame + (event.shiftKey ? 10 : 1)),
  ",": () => stopAt(state.frame - 1), ".": () => stopAt(state.frame + 1),
  "<": () => changeSpeed(-1), ">": () => changeSpeed(1),
  n: () => nextMoment(1), p: () => nextMoment(-1),
  a: () => turn(-0.1, 0), d: () => turn(0.1, 0), w: () => turn(0, -0.1), s: () => turn(0, 0.1),
  "+": () => zoomView(1.2), "=": () => zoomView(1.2), "-": () => zoomView(1 / 1.2),
  0: () => resetView("start"),
  "[": () => zoomTime(1.5), "]": () => zoomTime(1 / 1.5),
};

function onKey(event) {
  const { target, key } = event, action = KEYS[key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey || !state.sequence) return;
  // A control keeps the keys that it is worked with itself.
  if (target.closest("select") || (key === " " && target.closest("button, summary, input[type=checkbox]"))
    || (key.startsWith("Arrow") && target.closest(".scroll, pre"))) return;
  event.preventDefault();
  action(event);
}

function listen() {
  const on = (id, type, act) => byId(id).addEventListener(type, ({ target }) => {
    act(target);
    requestDraw();
  });
  on("sequence", "change", ({ value }) => openSequence(Number(value)));
  on("person", "change", ({ value }) => choosePerson(value));
  on("joint", "change", ({ value }) => chooseJoint(Number(value)));
  on("trail", "change", ({ value }) => { state.trail = Number(value); });
  on("speed", "change", ({ value }) => { state.speed = Number(value); });
  on("side-by-side", "change", ({ checked }) => { state.sideBySide = checked; });
  on("align", "change", ({ checked }) => { state.align = checked; });
  on("follow", "change", ({ checked }) => { state.follow = checked; fitView(); });
  on("worst-scope", "change", rankMoments);
  on("scrub", "input", ({ value }) => seek(Number(value)));
  on("play", "click", () => setPlaying(!state.playing));
  on("step-back", "click", () => stopAt(state.frame - 1));
  on("step-forward", "click", () => stopAt(state.frame + 1));
  on("previous-sequence", "click", () => openSequence(state.sequence.index - 1));
  on("next-sequence", "click", () => openSequence(state.sequence.index + 1));
  on("views", "click", ({ dataset }) => { if (dataset.view) resetView(dataset.view); });
  listenToStage();
  charts.forEach(listenToChart);
  document.addEventListener("keydown", onKey);
  const sizes = new ResizeObserver(requestDraw);
  for (const canvas of [stage, ...charts.map((chart) => chart.canvas)]) sizes.observe(canvas);
  darkScheme.addEventListener("change", () => { listTracks(); refreshCharts(); });
}

// ---- What stays as it is ----------------------------------------------------------------------------------

// The table; rows that follow one another with the same text in the first column stand below it as a heading.
function fillMetrics() {
  const rows = DATA.metrics, all = [...new Set(rows.flatMap(Object.keys))];
  if (!all.length) return;
  const group = (row) => row[all[0]], starts = rows.filter((row, i) => !i || group(row) !== group(rows[i - 1]));
  const parted = all.length > 2 && starts.length < rows.length && new Set(starts.map(group)).size === starts.length;
  const columns = parted ? all.slice(1) : all;
  const cells = columns.map((column) => {
    const numbers = rows.map((row) => row[column]).filter((value) => typeof value === "number");
    const small = numbers.every((value) => Math.abs(value) < 1);
    const decimals = numbers.every(Number.isInteger) ? 0 : small ? 4 : 2;
    const text = (value) => typeof value === "number" ? value.toFixed(decimals) : String(value ?? "–");
    const numeric = (value) => typeof value === "number" || /^(-|\d[\d.]*%?)$/.test(value ?? "-"); // numbers, some as text
    const kind = rows.every((row) => numeric(row[column])) ? {} : { class: "text" };
    return (tag, value, scope = {}) => element(tag, { ...kind, ...scope }, text(value));
  });
  const head = columns.map((column, i) => cells[i]("th", column, { scope: "col" }));
  const line = (row) => element("tr", {}, ...columns.map((column, i) =>
    i === 0 ? cells[i]("th", row[column], { scope: "row" }) : cells[i]("td", row[column])));
  const heading = (row) => element("tr", { class: "group" },
    element("th", { class: "text", scope: "rowgroup", colspan: columns.length }, String(group(row) ?? "–")));
  const bodies = parted ? starts.map((start) => element("tbody", {}, heading(start),
    ...rows.filter((row) => group(row) === group(start)).map(line))) : [element("tbody", {}, ...rows.map(line))];
  byId("metrics-table").append(element("thead", {}, element("tr", {}, ...head)), ...bodies);
  byId("metrics").hidden = false;
}

function fillProvenance() {
  const list = byId("provenance-list");
  const add = (label, content) => list.append(element("dt", {}, label), element("dd", {}, content));
  for (const [label, value] of Object.entries(DATA.provenance)) {
    const text = String(value ?? "–"), lines = text.trim().split("\n").length;
    // A command is broken between its words, not inside an option.
    const words = text.split(" ").flatMap((word) => [element("span", {}, word), " "]);
    if (lines === 1) add(label, element("code", {}, ...words));
    else {
      const summary = element("summary", {}, `show ${lines} lines`);
      add(label, element("details", {}, summary, element("pre", { tabindex: 0 }, text)));
    }
  }
  const kinds = new Map(DATA.sequences.map(({ dims, unit }) => [`${dims} ${unit}`, { dims, unit }]));
  for (const { dims, unit } of kinds.values()) {
    const scale = dims === 3 ? 1000 : 1;
    const tracks = DATA.sequences.filter((s) => s.dims === dims && s.unit === unit).flatMap((s) => s.tracks);
    const within = Math.max(...tracks.map((track) => track.step)) / 2 * scale;
    const text = `stored to within ${Number(within.toPrecision(2))} ${unit}`;
    if (tracks.length) add(`${dims}D coordinates`, text);
  }
}

async function start() {
  document.title = byId("title").textContent = DATA.title;
  fillSelect(byId("sequence"), DATA.sequences.map(({ name }, index) => [index, name]), 0);
  byId("sequence-field").hidden = byId("worst-scope").hidden = DATA.sequences.length < 2;
  fillMetrics();
  fillProvenance();
  if (typeof DecompressionStream === "undefined")
    throw new Error("this browser cannot unpack the poses; Chromium 80, Firefox 113 and Safari 16.4 can");
  await openSequence(0);
  listen();
  setPlaying(false);
}

// For the console and the tests.
window.posePage = {
  state, drawTimes, charts, worst: () => worst, pickable: () => pickable,
  curve: (track, key, joint = 0) => curveOf(state.sequence, state.sequence.tracks[track], key, joint),
  jump: (sequence, frame) => openSequence(sequence).then(() => stopAt(frame)),
  ready: start().then(() => true, (error) => {
    byId("failure").textContent = `The page could not be shown: ${error.message}`;
    byId("failure").hidden = false;
    return false;
  }),
};
})();
