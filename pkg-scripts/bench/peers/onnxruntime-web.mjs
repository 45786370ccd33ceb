// ONNX Runtime Web. It cannot train: its training build was removed.

import { encoderModel, matmulModel } from "./onnx-models.mjs";
import { encoder, MATMUL, operands } from "./problem.mjs";

const FILES = "/npm/onnxruntime-web/dist/";
const BUNDLES = { webgpu: "ort.webgpu.bundle.min.mjs", wasm: "ort.wasm.bundle.min.mjs" };

export async function open(device) {
  const runtime = await import(FILES + BUNDLES[device]);
  runtime.env.wasm.wasmPaths = FILES;
  runtime.env.wasm.numThreads = device === "wasm" ? navigator.hardwareConcurrency : 1;
  return {
    matmul: () => matmul(runtime, device),
    "encoder-forward": () => forward(runtime, device),
  };
}

const session = (runtime, device, model, options) =>
  runtime.InferenceSession.create(model, { executionProviders: [device], ...options });
const tensor = (runtime, { data, shape }) => new runtime.Tensor("float32", data, shape);

/** On WebGPU operands and products stay there, as they do within a model. */
async function matmul(runtime, device) {
  const onGpu = device === "webgpu";
  const { a, b } = operands();
  const model = matmulModel(a.shape, b.shape);
  const opened = await session(runtime, device, model, onGpu ? { preferredOutputLocation: "gpu-buffer" } : {});
  const gpu = onGpu ? await runtime.env.webgpu.device : undefined;
  const place = (operand) => (gpu ? gpuTensor(runtime, gpu, operand) : tensor(runtime, operand));
  const inputs = { a: place(a), b: place(b) };
  const run = async () => {
    for (let at = 0; at < MATMUL.repeat; at++) (await opened.run(inputs)).y.dispose();
    await gpu?.queue.onSubmittedWorkDone();
  };
  return { repeat: MATMUL.repeat, run };
}

function gpuTensor(runtime, gpu, { data, shape }) {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = gpu.createBuffer({ size: data.byteLength, usage });
  gpu.queue.writeBuffer(buffer, 0, data);
  return runtime.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: shape });
}

async function forward(runtime, device) {
  const problem = encoder();
  const opened = await session(runtime, device, encoderModel(problem));
  const states = tensor(runtime, problem.states);
  const run = async () => {
    const { logits } = await opened.run({ states });
    const [first] = logits.data;
    logits.dispose();
    return first;
  };
  return { run };
}
