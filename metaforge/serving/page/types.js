/**
 * What the service says and the page keeps, as types: there is no code here.
 *
 * The record is described by metaforge/screening/verdicts/verdict.schema.json, and the answers by /openapi.json.
 *
 * @typedef {"real" | "cannot tell" | "fake"} Decision
 *
 * @typedef {object} Evidence one measured feature of a face
 * @property {string} name
 * @property {number} value
 * @property {number} score p(fake) by this feature alone
 * @property {number} auc of the feature alone, on collections that were left out
 * @property {"observed" | "derived" | "inferred"} tag
 * @property {string} text
 *
 * @typedef {object} Face
 * @property {number} number from 1; 0 where the file is a crop
 * @property {[number, number, number, number] | null} box x0, y0, x1, y1 in the picture's pixels
 * @property {number[]} frames of a video, those that were scored
 * @property {number | null} p_fake
 * @property {[number, number] | null} band
 * @property {number | null} familiarity
 * @property {Decision} decision
 * @property {string} reason
 * @property {string[]} quality
 * @property {Evidence[]} evidence
 *
 * @typedef {object} Thresholds
 * @property {number} real_below
 * @property {number} fake_above
 * @property {number | null} fpr
 * @property {number | null} fnr
 * @property {string} fitted_on
 *
 * @typedef {object} Verdict the record of a file
 * @property {string} file
 * @property {string | null} sha256
 * @property {number | null} bytes
 * @property {"image" | "video"} kind
 * @property {[number, number] | null} size height and width
 * @property {string} time
 * @property {{name: string, sha256: string, fitted_on: string}} model
 * @property {number | null} p_fake
 * @property {Decision} decision
 * @property {string} reason
 * @property {Face[]} faces
 * @property {string[]} quality
 * @property {{state: string, source_type: string, signer: string, detail: string}} provenance
 * @property {Thresholds} thresholds
 * @property {string} limits
 * @property {{code: string, message: string} | null} error
 *
 * @typedef {object} ScoreMap the map of a face
 * @property {number} face
 * @property {"inferred"} tag
 * @property {number[][]} falls how far the score's logit falls where each cell is covered, in rows from the top
 * @property {string} crop the face as the detector takes it, as the address of a PNG
 * @property {string} text
 *
 * @typedef {object} Regions of the largest face
 * @property {{name: string, p: number, named: boolean}[]} regions
 * @property {string} sentence
 * @property {string[]} limits
 *
 * @typedef {object} Answer of /v1/predict
 * @property {Verdict} verdict
 * @property {ScoreMap[]} [maps]
 * @property {Regions | null} [regions] `null` of a detector that names none
 * @property {Record<string, number>} [timing_ms]
 * @property {string[]} [degraded]
 *
 * @typedef {object} Model of /v1/models
 * @property {string} id
 * @property {string} name
 * @property {string} sha256
 * @property {boolean} regions
 *
 * @typedef {object} Adapter of /v1/adapters
 * @property {string} id
 * @property {string} name
 * @property {"queued" | "running" | "done" | "failed" | "cancelled"} state
 * @property {any} [report] of `metaforge adapt`
 * @property {any} [decision] whether adapting pays
 * @property {string} [message] the same in words
 * @property {string | null} [error]
 *
 * @typedef {"real" | "fake" | "skip"} Label
 *
 * @typedef {object} Item a file on the page
 * @property {File} file
 * @property {string} name no other item has it
 * @property {Answer | null} answer
 * @property {import("./api.js").Problem | null} problem why there is no answer
 * @property {{model: string, crops: boolean}} asked how it was judged
 * @property {{map: boolean, evidence: boolean}} had what the answer holds beside the verdict
 * @property {{map: boolean, evidence: boolean}} more what of it is shown
 */

export {};
