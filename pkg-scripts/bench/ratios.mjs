// What the rows say about each other: a training step against a forward pass, and a peer against ia3-web.

const OURS = "ia3-web";

/** @returns {Record<string, Record<string, number>>} device -> library -> time of a training step over that of a forward pass */
export function trainOverForward(rows) {
  const found = {};
  for (const train of rows.filter((row) => row.name.startsWith("encoder-train"))) {
    const forward = rows.find((row) => sameRun(row, train) && row.name === train.name.replace("train", "forward"));
    if (forward) (found[train.device] ??= {})[train.library] = ratio(train, forward);
  }
  return found;
}

/** @returns {Record<string, Record<string, Record<string, number>>>} device -> row -> library -> its time over that of ia3-web */
export function peerOverOurs(rows) {
  const found = {};
  for (const row of rows.filter(({ library }) => library !== OURS)) {
    const our = rows.find(({ name, device, library }) => library === OURS && name === row.name && device === row.device);
    if (our) ((found[row.device] ??= {})[row.name] ??= {})[row.library] = ratio(row, our);
  }
  return found;
}

function sameRun(a, b) {
  return a.library === b.library && a.device === b.device;
}

function ratio(a, b) {
  return Number((a.medianMs / b.medianMs).toFixed(2));
}
