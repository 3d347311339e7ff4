/**
 * The page: files come in, one is shown with its verdict, and many are reviewed.
 */

import { Adapting } from "./adapting.js";
import { ask, isAborted } from "./api.js";
import { byId, element } from "./dom.js";
import { listen, uniquelyNamed } from "./intake.js";
import { itemOf, judge, judgeAll } from "./judging.js";
import { announce, clearProblem, say, showProblem, showSentence, waiting, working } from "./notices.js";
import { preview } from "./preview.js";
import { Review } from "./review.js";
import { showVerdict } from "./verdict.js";
import { reduced } from "./words.js";

/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Model} Model */

/** @type {Model[]} */
let models = [];

/** Calls off what is being judged. @type {AbortController | null} */
let control = null;

/** Parcels of the review, one after the other. */
let judging = Promise.resolve();

/** The file that is shown by itself. @type {Item | null} */
let single = null;

const chooser = byId("model", HTMLSelectElement);
const crops = byId("crops", HTMLInputElement);

const review = new Review({
  show: (place, item) => showVerdict(place, item, { ...howOf(item), within: true }),
  retry: judgeMany,
  closed: () => {
    control?.abort();
    allowOptions(true);
  },
  changed: () => adapting.draw(),
});
const adapting = new Adapting({
  marks: () => review.queue.marks,
  made: () => readModels(),
  crops: () => review.queue.items.some((item) => item.asked.crops),
});

listen(taken, showSentence);
chooser.addEventListener("change", judgeAgain);
crops.addEventListener("change", judgeAgain);
readModels();

/** Which detectors there are; asked for at once, so that a token is asked for before any file is sent. */
async function readModels() {
  try {
    ({ models } = await ask("/v1/models", { waiting }));
  } catch (error) {
    showProblem(error, readModels);
    return;
  }
  const chosen = chooser.value;
  chooser.replaceChildren(...models.map(({ id, name }) => {
    const label = id === "default" ? `${name} (this service's own)` : `${name} (adapter ${id.slice(0, 8)})`;
    return element("option", { value: id, selected: id === chosen }, label);
  }));
}

/** @param {import("./intake.js").Given[]} given */
function taken(given) {
  clearProblem();
  const asked = { model: chooser.value || "default", crops: crops.checked };
  if (given.length === 1 && !review.open) {
    judgeSingle(itemOf(given[0].file, given[0].name, asked));
    return;
  }
  if (single) control?.abort();
  byId("result").hidden = true;
  single = null;
  allowOptions(false);
  // All of a review are asked for alike.
  const alike = review.queue.items[0]?.asked ?? asked;
  const named = uniquelyNamed(given, review.queue.items.map((item) => item.name));
  const items = named.map(({ file, name }) => itemOf(file, name, alike));
  review.add(items);
  judgeMany(items);
}

/** @param {Item} item */
async function judgeSingle(item) {
  control?.abort();
  const mine = new AbortController();
  [control, single] = [mine, item];
  const place = byId("result");
  place.hidden = false;
  place.replaceChildren(element("h2", {}, "Being judged"), preview(item));
  announce(`${item.name} is being judged.`);
  const done = working("The file is being judged.", mine);
  try {
    item.answer = await judge(item, { signal: mine.signal, waiting });
    const { decision, reason } = item.answer.verdict;
    showVerdict(place, item, howOf(item));
    announce(`Verdict: ${decision}; ${reason}.`);
  } catch (error) {
    if (single !== item) return;
    place.hidden = true;
    if (isAborted(error)) say("Stopped. Nothing was judged.");
    else {
      say("");
      showProblem(error, () => judgeSingle(item), item.name);
    }
  } finally {
    done();
  }
}

/**
 * Judges files of the review, behind those that are being judged.
 *
 * @param {Item[]} items
 */
function judgeMany(items) {
  for (const item of items) item.problem = null;
  const { queue } = review;
  judging = judging.then(async () => {
    if (queue !== review.queue) return;
    const mine = new AbortController();
    control = mine;
    const done = working("Files are being judged.", mine);
    try {
      await judgeAll(items, () => (queue === review.queue ? review.draw() : mine.abort()), { signal: mine.signal, waiting });
      announce("All files are judged.");
    } catch (error) {
      if (queue !== review.queue) return;
      const left = items.filter((item) => !item.answer && !item.problem);
      if (isAborted(error)) showSentence(`Stopped; ${left.length} of the files are not judged.`, () => judgeMany(left));
      else showProblem(error, () => judgeMany(left));
    } finally {
      done();
      if (queue === review.queue) review.draw();
    }
  });
}

/** @param {Item} item */
function howOf(item) {
  const named = models.find(({ id }) => id === item.asked.model)?.regions ?? false;
  /** @param {Item["had"]} wanted */
  const askMore = async (wanted) => {
    const mine = new AbortController();
    const done = working("The file is being looked at once more. This takes longer than the verdict.", mine);
    try {
      const answer = await judge(item, { ...wanted, signal: mine.signal, waiting });
      if (answer.degraded?.length) {
        // What there is already says more.
        showSentence(reduced(answer.degraded));
        return false;
      }
      [item.answer, item.had] = [answer, wanted];
      announce("It is there, below.");
      return true;
    } catch (error) {
      if (!isAborted(error)) showProblem(error, null, item.name);
      return false;
    } finally {
      done();
    }
  };
  return { named, askMore };
}

/** With another detector the file that is shown is judged once more. */
function judgeAgain() {
  if (!single || review.open) return;
  const asked = { model: chooser.value, crops: crops.checked };
  judgeSingle(itemOf(single.file, single.name, asked));
}

/** @param {boolean} can */
function allowOptions(can) {
  byId("options", HTMLFieldSetElement).disabled = !can;
  byId("options-why").hidden = can;
}
