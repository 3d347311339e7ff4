/**
 * The token of this service, if it asks for one. It lives as long as this tab, and is sent to this service alone.
 */

import { byId } from "./dom.js";

const KEPT = "metaforge-token";

/** @type {Promise<void> | null} */
let asking = null;

/**
 * What a request says of who sends it.
 *
 * @returns {Record<string, string>}
 */
export function authorization() {
  const token = sessionStorage.getItem(KEPT);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/**
 * Asks for the token, and waits until it is given. Requests that wait at the same time wait for the same answer.
 *
 * @param {string} why the service's sentence
 * @param {Record<string, string>} sent what was refused
 */
export function askForToken(why, sent) {
  // Another request was refused with an older token than the one that is there now.
  if (sent.Authorization !== authorization().Authorization) return Promise.resolve();
  sessionStorage.removeItem(KEPT);
  asking ??= answered(sent.Authorization ? `${why} The token that was given was refused.` : why).finally(() => {
    asking = null;
  });
  return asking;
}

/**
 * @param {string} why
 * @returns {Promise<void>}
 */
function answered(why) {
  const place = byId("token");
  const form = byId("token-form", HTMLFormElement);
  const field = byId("token-field", HTMLInputElement);
  byId("token-why").textContent = why;
  place.hidden = false;
  field.focus();
  return new Promise((done) => {
    const given = (/** @type {Event} */ event) => {
      event.preventDefault();
      const token = field.value.trim();
      // A header holds visible ASCII alone.
      if (!/^[\x21-\x7e]+$/.test(token)) {
        byId("token-why").textContent = "A token is one word of letters, digits and signs, without spaces.";
        return;
      }
      sessionStorage.setItem(KEPT, token);
      field.value = "";
      place.hidden = true;
      form.removeEventListener("submit", given);
      done();
    };
    form.addEventListener("submit", given);
  });
}
