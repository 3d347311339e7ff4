/**
 * How files come in: chosen, a folder chosen, dropped, or pasted. An address is not taken: nothing is ever fetched.
 */

import { byId } from "./dom.js";

/** @typedef {{file: File, name: string}} Given */

const NOTHING = "There is no file in that folder.";
const NO_ADDRESS = "That was an address or a text, and no file. This page fetches nothing: save the picture first, and "
  + "then drop the file.";

/**
 * Listens for files.
 *
 * @param {(given: Given[]) => void} taken
 * @param {(sentence: string) => void} refused is told why nothing was taken
 */
export function listen(taken, refused) {
  const files = byId("files", HTMLInputElement);
  const folder = byId("folder", HTMLInputElement);
  byId("choose").addEventListener("click", () => files.click());
  byId("choose-folder").addEventListener("click", () => folder.click());
  for (const input of [files, folder]) {
    input.addEventListener("change", () => {
      const chosen = [...(input.files ?? [])].filter((file) => !hidden(file.webkitRelativePath));
      const given = sorted(chosen.map((file) => ({ file, name: within(file) })));
      // So that the same file can be chosen again.
      input.value = "";
      if (given.length) taken(given);
      else refused(NOTHING);
    });
  }
  document.addEventListener("paste", (event) => {
    const held = event.clipboardData;
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement || !held) return;
    if (held.files.length) taken([...held.files].map((file) => ({ file, name: file.name || "pasted.png" })));
    else if (held.types.length) refused(NO_ADDRESS);
  });
  listenForDrops(taken, refused);
}

/**
 * @param {(given: Given[]) => void} taken
 * @param {(sentence: string) => void} refused
 */
function listenForDrops(taken, refused) {
  const place = byId("drop");
  // Whatever is dropped beside the place would otherwise replace the page.
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    place.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) place.classList.remove("over");
  });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    place.classList.remove("over");
    const held = event.dataTransfer;
    if (!held) return;
    // Read now: what was dropped is gone after the first wait.
    const entries = [...held.items].map((item) => item.webkitGetAsEntry?.() ?? null);
    const files = [...held.files];
    if (!files.length) return refused(NO_ADDRESS);
    const folders = entries.flatMap((entry) => (entry?.isDirectory ? [entry] : []));
    const above = folders.length === 1 ? /^\/[^/]*\// : /^\//;
    try {
      const inside = (await Promise.all(folders.map((entry) => walked(entry, above)))).flat();
      // A folder is among the files, too, and cannot be read as one.
      const named = new Set(folders.map((entry) => entry.name));
      const plain = files.filter((file) => !named.has(file.name)).map((file) => ({ file, name: file.name }));
      const given = sorted([...plain, ...inside]);
      if (given.length) taken(given);
      else refused(NOTHING);
    } catch (error) {
      refused(`The folder cannot be read (${error}). Choose its files instead.`);
    }
  });
}

/**
 * The files of a folder that was dropped, and of those in it.
 *
 * @param {any} entry
 * @param {RegExp} above what is left out of paths
 * @returns {Promise<Given[]>}
 */
async function walked(entry, above) {
  if (hidden(entry.fullPath)) return [];
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    return [{ file, name: entry.fullPath.replace(above, "") }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return found;
    for (const each of some) found.push(...(await walked(each, above)));
  }
}

/**
 * A file's path in the folder that was chosen: what lies in one of its subfolders belongs together.
 *
 * @param {File} file
 */
function within(file) {
  return file.webkitRelativePath.split("/").slice(1).join("/") || file.name;
}

/**
 * Whether a file of a folder is hidden, such as those that systems leave there: it is nobody's picture.
 *
 * @param {string} path
 */
function hidden(path) {
  return path.split("/").some((part) => part.startsWith("."));
}

/** @param {Given[]} given */
function sorted(given) {
  return [...given].sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
}

/**
 * Names of which no two are alike, so that each record speaks of one file.
 *
 * @param {Given[]} given
 * @param {Iterable<string>} [taken]
 * @returns {Given[]}
 */
export function uniquelyNamed(given, taken = []) {
  const used = new Set(taken);
  return given.map(({ file, name }) => {
    let own = name;
    for (let number = 2; used.has(own); number += 1) own = name.replace(/(\.[^./]*)?$/, ` (${number})$1`);
    used.add(own);
    return { file, name: own };
  });
}
