// What `archcost estimate` says, for any setting of the page's controls. Everything here is arithmetic on the numbers
// that archcost/page/live.py has written down: lines in the batch for bytes, and amounts of work for seconds.

// Roles of bytes in the order in which the page shows them.
const ARCHCOST_ROLES = [
  "weights", "gradients", "optimizer_state", "buffers", "inputs", "activations", "kv_cache", "temporaries",
];

// A C library maps a block of that many bytes anew each time (archcost/costs/kernels.py: FRESH).
const ARCHCOST_FRESH = 32 * 2 ** 20;

// What a setting takes on a device, by the names of `estimate`. `settings` that are missing are those of the report.
function archcostLive(payload, settings) {
  const asked = { ...payload.default, ...settings };
  const none = {
    refused: null, batches: null, most_batch: null, peak_bytes: null, peak_at: null, by_role: null, needed_bytes: null,
    capacity_bytes: null, safe_bytes: null, most_bytes: null, verdict: null, fits: null, max_batch: null,
    max_batch_tight: null, step_seconds: null, forward_seconds: null, backward_seconds: null, optimizer_seconds: null,
    band_seconds: null, samples_per_second: null, mfu: null, status: null, engine: null, notes: [],
  };
  const found = archcostFind(payload, asked);
  if (found.refused) return { ...asked, ...none, refused: found.refused };
  const known = { batches: archcostBatches(found), most_batch: Math.min(found.needs.last ?? found.most, found.most) };
  try {
    return { ...asked, ...none, ...known, ...archcostMemory(found, asked.batch), ...archcostTime(found, asked.batch) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the messages that say what is not known
    return { ...asked, ...none, ...known, refused: error.message };
  }
}

// What a setting takes on each device of the page, in their order.
function archcostDevices(payload, settings) {
  return payload.hardware.map((each) => archcostLive(payload, { ...settings, hardware: each.name }));
}

// Bytes of a setting at batches up to `most`: all that are few, or known, else about eight to each doubling.
function archcostCurve(payload, settings, most) {
  const asked = { ...payload.default, ...settings, batch: 1 };
  const found = archcostFind(payload, asked);
  if (found.refused) return [];
  const last = Math.min(most ?? found.most, found.needs.last ?? found.most, found.most);
  let batches = archcostBatches(found);
  if (batches === null) {
    batches = [1];
    for (let step = 1; batches[batches.length - 1] < last; step += 1) {
      const next = Math.min(last, Math.round(2 ** (step / 8)));
      if (next > batches[batches.length - 1]) batches.push(next);
    }
  }
  const points = [];
  for (const batch of batches.filter((each) => each <= last)) {
    try {
      points.push({
        batch,
        peak_bytes: archcostHighest(found, batch).bytes,
        needed_bytes: archcostNeeded(found, batch),
      });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      break; // more bytes than are counted exactly
    }
  }
  return points;
}

// The tables that answer for a setting, or a sentence that says why there are none.
function archcostFind(payload, asked) {
  const tables = payload.tables;
  const network = payload.networks.findIndex((each) => each.name === asked.network);
  const hardware = payload.hardware.findIndex((each) => each.name === asked.hardware);
  if (network < 0) return { refused: `no network of this page: ${asked.network}` };
  if (hardware < 0) return { refused: `no device of this page: ${asked.hardware}` };
  const { least, most } = payload.networks[network].batch;
  if (!Number.isInteger(asked.batch) || asked.batch < least || asked.batch > most) {
    return { refused: `batch is a whole number from ${least} to ${most}` };
  }
  const device = tables.devices[hardware];
  const trains = asked.mode === "train";
  const words = [network, device.device, asked.mode, asked.precision, trains ? asked.recompute : "", trains ? asked.optimizer : ""];
  const run = tables.runs[words.join("|")];
  if (run === undefined) return { refused: `not worked out on this page: ${words.slice(2).filter(Boolean).join(", ")}` };
  if (run.refused) return { refused: run.refused };
  if (run.no_rate) return { refused: `${asked.hardware} has no rate for ${run.no_rate}` };
  if (typeof run.on[hardware] === "string") return { refused: run.on[hardware] };
  const [time, kernels, maxBatch, maxBatchTight] = run.on[hardware];
  const step = tables.steps[run.step];
  return {
    refused: null,
    device,
    profile: payload.hardware[hardware],
    step,
    needs: step.needs[device.threads],
    kernels: step.kernels[kernels],
    optimizer: tables.optimizers[run.optimizer],
    time: tables.times[time],
    rows: tables.rows,
    paces: tables.paces,
    most,
    samples: step.trains ? tables.samples : 1,
    maxBatch,
    maxBatchTight,
  };
}

// Bytes, exactly: a number that a double does not hold is refused.
function archcostExact(base, slope, batch) {
  const value = base + slope * batch;
  if (!Number.isSafeInteger(slope * batch) || !Number.isSafeInteger(value)) {
    throw new RangeError("so many samples are more bytes than a page counts exactly: take a smaller batch");
  }
  return value;
}

// The batches whose bytes are known, where a step is no lines in the batch; else null.
function archcostBatches(found) {
  return found.step.lines && found.needs.lines ? null : Object.keys(found.needs.at).map(Number);
}

// The numbers of a batch that was played by itself, as one sample always is, or else the lines.
function archcostAt(lines, at, batch) {
  const found = at[batch] ?? lines;
  if (found) return found;
  throw new RangeError(`this step is no lines in the batch: known are ${Object.keys(at).join(", ")}`);
}

// The highest of the moments of forward, backward and the optimizer, the first of equals: its bytes, its line, and what
// the optimizer adds to it by role.
function archcostHighest(found, batch) {
  const { moments, left } = archcostAt(found.step.lines, found.step.at, batch);
  const { state, name, burst } = found.optimizer;
  let highest = null;
  const consider = (moment, named, added) => {
    const more = Object.values(added).reduce((sum, each) => sum + each, 0);
    const bytes = archcostExact(moment[0] + more, moment[1], batch);
    if (highest === null || bytes > highest.bytes) highest = { bytes, name: named, roles: moment[3], added };
  };
  for (const moment of moments) consider(moment, moment[2], { optimizer_state: state });
  if (Object.keys(burst).length) {
    consider(left, name, { ...burst, optimizer_state: state + (burst.optimizer_state ?? 0) });
  }
  return highest;
}

// Its bytes by role.
function archcostByRole({ roles, added }, batch) {
  const byRole = Object.fromEntries(ARCHCOST_ROLES.map((role) => [role, added[role] ?? 0]));
  for (const [role, [base, slope]] of Object.entries(roles)) byRole[role] += archcostExact(base, slope, batch);
  return byRole;
}

// What a step asks of the device: tensors, workspaces of libraries and what a CPU's kernels allocate for themselves.
function archcostNeeded(found, batch) {
  const { needs, step, device, optimizer } = found;
  let passes, left;
  if (needs.at[batch]) {
    [passes, left] = needs.at[batch];
    left = left ?? archcostExact(...needs.left, batch);
  } else {
    archcostAt(needs.lines, needs.at, batch);
    if (batch > needs.last) throw new RangeError(`known are the batches up to ${needs.last}`);
    const [, base, slope] = archcostLine(needs.lines, batch);
    passes = archcostExact(base, slope, batch);
    left = archcostExact(...needs.left, batch);
  }
  const burst = Object.values(optimizer.burst).reduce((sum, each) => sum + each, 0);
  const tensors = optimizer.state + Math.max(passes, burst ? left + burst : 0);
  const library = device.caches ? step.products * device.library : 0;
  return tensors + library - archcostStored(found);
}

// The last line that starts at the batch or before it.
function archcostLine(lines, batch) {
  let [low, high] = [0, lines.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (lines[middle][0] <= batch) low = middle;
    else high = middle;
  }
  return lines[low];
}

// Bytes of weights that lie in a microcontroller's flash.
function archcostStored(found) {
  return found.device.flash !== null && !found.step.trains ? found.step.stored : 0;
}

function archcostMemory(found, batch) {
  const { profile, device, step } = found;
  const highest = archcostHighest(found, batch);
  const needed = archcostNeeded(found, batch);
  const stored = archcostStored(found);
  const inFlash = stored <= device.flash ? profile.capacity_bytes : -1;
  const [safe, most] = stored ? [inFlash, inFlash] : [profile.safe_bytes, profile.most_bytes];
  const verdict = needed <= safe ? "fits" : needed <= most ? "tight" : "does not fit";
  const workspace = device.device === "cuda" ? step.products * device.library : stored ? 0 : needed - highest.bytes;
  return {
    peak_bytes: highest.bytes,
    peak_at: highest.name,
    by_role: { ...archcostByRole(highest, batch), workspace },
    needed_bytes: needed,
    capacity_bytes: profile.capacity_bytes,
    safe_bytes: profile.safe_bytes,
    most_bytes: profile.most_bytes,
    verdict,
    fits: verdict !== "does not fit",
    max_batch: found.maxBatch,
    max_batch_tight: found.maxBatchTight,
  };
}

// Seconds of one kernel: the roofline of archcost/times/roof.py. Amounts are base + slope·batch.
function archcostKernel(row, pace, overlaps, batch) {
  if (pace === undefined) return 0; // the calibration has nothing of its class
  const [, launches, flops = 0, moreFlops = 0, bytes = 0, moreBytes = 0, reread = 0, moreReread = 0] = row;
  const [rate, bandwidth, floor, rereading] = pace;
  const computing = rate ? (flops + moreFlops * batch) / rate : 0;
  const moving = bandwidth ? (bytes + moreBytes * batch) / bandwidth : 0;
  const again = rereading ? (reread + moreReread * batch) / rereading : 0;
  return launches * floor + again + (overlaps ? Math.max(computing, moving) : computing + moving);
}

// Seconds and launches of a phase's kernels, [row, times, row, times, …], and of the blocks of memory that they touch
// first. `place` chooses among the paces of a data sheet, the least and the most.
function archcostPhase(found, kernels, blocks, place, batch) {
  const { time, rows, paces } = found;
  const ofClass = time.paces[place];
  let seconds = 0;
  let launches = 0;
  for (let index = 0; index < kernels.length; index += 2) {
    const row = rows[kernels[index]];
    const times = kernels[index + 1];
    seconds += times * archcostKernel(row, paces[ofClass[row[0]]], time.overlaps ?? true, batch);
    launches += times * row[1];
  }
  if (time.first_touch) {
    for (const [base, slope, times] of blocks) {
      const bytes = base + slope * batch;
      if (bytes >= ARCHCOST_FRESH) seconds += (times * bytes) / time.first_touch;
    }
  }
  return { seconds, launches };
}

function archcostTime(found, batch) {
  const { time, optimizer } = found;
  const { status, engine, notes } = time;
  if (!time.paces.length) return { status, engine, notes };
  const { lines, at } = found.kernels;
  if (!lines && !at[batch]) {
    const note = `its time is no lines in the batch: known are ${Object.keys(at).join(", ")}`;
    return { status, engine, notes: [...notes, note] };
  }
  const { kernels, flops, blocks = [[], []] } = archcostAt(lines, at, batch);
  const phases = (place) => [
    archcostPhase(found, kernels[0], blocks[0], place, batch),
    archcostPhase(found, kernels[1], blocks[1], place, batch),
    archcostPhase(found, optimizer.kernels, [], place, batch),
  ];
  const sum = (numbers) => numbers.reduce((whole, each) => whole + each, 0);
  if (status === "bound") {
    const ends = [0, 1].map((place) => sum(phases(place).map((phase) => phase.seconds)));
    return { band_seconds: ends, status, engine, notes };
  }
  const seconds = phases(0).map((phase) => {
    const host = phase.launches * time.dispatch;
    return time.queued ? Math.max(phase.seconds, host) : phase.seconds + host;
  });
  const step = sum(seconds);
  const [forward, backward, update] = seconds;
  return {
    step_seconds: step,
    forward_seconds: forward,
    backward_seconds: backward,
    optimizer_seconds: update,
    band_seconds: [step * time.band[0], step * time.band[1]],
    samples_per_second: step ? (batch * found.samples) / step : null,
    mfu: step && time.rate ? (flops[0] + flops[1] * batch) / step / time.rate : null,
    status,
    engine,
    notes,
  };
}
