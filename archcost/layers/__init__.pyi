"""Made by `python -m tests.generate` from the classes, which `__init__.py` imports only when they are asked for."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeVar

from archcost.layers.base import Composite as Composite
from archcost.layers.base import Declared as Declared
from archcost.layers.base import Layer as Layer
from archcost.layers.base import Weight as Weight
from archcost.layers.base import WeightedLayer as WeightedLayer
from archcost.layers.listed import Place as Place
from archcost.layers.listed import index as index
from archcost.layers.value_function import Activation as _Activation
from archcost.layers.activation import GELU as GELU
from archcost.layers.activation import GLU as _GLU
from archcost.layers.value_function import ValueFunction as _ValueFunction
from archcost.layers.activation import LogSoftmax as _LogSoftmax
from archcost.layers.activation import LogSigmoid as LogSigmoid
from archcost.layers.activation import PReLU as PReLU
from archcost.layers.activation import RReLU as RReLU
from archcost.layers.value_function import OverwritingFunction as _OverwritingFunction
from archcost.layers.activation import Softmax as _Softmax
from archcost.layers.activation import Softsign as Softsign
from archcost.layers.activation import Tanhshrink as Tanhshrink
from archcost.layers.attention.multi_head import MultiHeadAttention as _MultiHeadAttention
from archcost.layers.attention.scaled_dot_product import ScaledDotProductAttention as ScaledDotProductAttention
from archcost.layers.binary.arithmetic import Add as Add
from archcost.layers.binary.arithmetic import ClampTensor as ClampTensor
from archcost.layers.binary.arithmetic import Div as Div
from archcost.layers.binary.arithmetic import FloorDivide as FloorDivide
from archcost.layers.binary.arithmetic import Modulo as _Modulo
from archcost.layers.binary.arithmetic import Extremum as _Extremum
from archcost.layers.binary.arithmetic import Mul as Mul
from archcost.layers.binary.arithmetic import Sub as Sub
from archcost.layers.binary.functions import Atan2 as Atan2
from archcost.layers.binary.functions import FloatsOfPairs as _FloatsOfPairs
from archcost.layers.binary.functions import Cross as Cross
from archcost.layers.binary.pair_function import PairFunction as _PairFunction
from archcost.layers.binary.functions import Lerp as Lerp
from archcost.layers.binary.functions import FloatingPairs as _FloatingPairs
from archcost.layers.binary.functions import PowTensor as PowTensor
from archcost.layers.binary.functions import XLog1pY as XLog1pY
from archcost.layers.comparison import Bitwise as _Bitwise
from archcost.layers.comparison import BitwiseNot as BitwiseNot
from archcost.layers.comparison import Comparison as _Comparison
from archcost.layers.comparison import IsFinite as IsFinite
from archcost.layers.comparison import Predicate as _Predicate
from archcost.layers.comparison import Both as _Both
from archcost.layers.comparison import MaskedFill as MaskedFill
from archcost.layers.comparison import Where as Where
from archcost.layers.complex import Angle as Angle
from archcost.layers.complex import Complex as Complex
from archcost.layers.complex import ComplexScale as ComplexScale
from archcost.layers.complex import Conj as Conj
from archcost.layers.complex import ConjPhysical as ConjPhysical
from archcost.layers.complex import Imag as Imag
from archcost.layers.complex import Magnitude as Magnitude
from archcost.layers.complex import Polar as Polar
from archcost.layers.complex import Real as Real
from archcost.layers.complex import ViewAsComplex as ViewAsComplex
from archcost.layers.complex import ViewAsReal as ViewAsReal
from archcost.layers.convolution.conv import Convolution as _Convolution
from archcost.layers.convolution.conv import TransposedConvolution as _TransposedConvolution
from archcost.layers.convolution.deformable import DeformConv2d as _DeformConv2d
from archcost.layers.convolution.dynamic import DynamicConvolution as _DynamicConvolution
from archcost.layers.convolution.dynamic import DynamicTransposedConvolution as _DynamicTransposedConvolution
from archcost.layers.convolution.fold import Fold as Fold
from archcost.layers.convolution.fold import Unfold as Unfold
from archcost.layers.dropout import AlphaDropout as _AlphaDropout
from archcost.layers.dropout import Dropout as _Dropout
from archcost.layers.dropout import Dropout1d as _Dropout1d
from archcost.layers.dropout import Dropout2d as _Dropout2d
from archcost.layers.dropout import Dropout3d as _Dropout3d
from archcost.layers.fourier import FFT as FFT
from archcost.layers.fourier import IRFFT as IRFFT
from archcost.layers.fourier import OverlapAdd as OverlapAdd
from archcost.layers.fourier import RFFT as RFFT
from archcost.layers.indexing.classes import Bucketize as Bucketize
from archcost.layers.indexing.classes import OneHot as OneHot
from archcost.layers.indexing.classes import SearchSorted as SearchSorted
from archcost.layers.indexing.embedding import Embedding as _Embedding
from archcost.layers.indexing.embedding_bag import EmbeddingBag as _EmbeddingBag
from archcost.layers.indexing.expert_route import ExpertRoute as ExpertRoute
from archcost.layers.indexing.gather import Gather as Gather
from archcost.layers.indexing.gather import Index as Index
from archcost.layers.indexing.gather import IndexSelect as IndexSelect
from archcost.layers.indexing.regions import Nms as Nms
from archcost.layers.indexing.regions import Nonzero as Nonzero
from archcost.layers.indexing.regions import PsRoiAlign as PsRoiAlign
from archcost.layers.indexing.regions import PsRoiPool as PsRoiPool
from archcost.layers.indexing.regions import RoiAlign as RoiAlign
from archcost.layers.indexing.regions import RoiPool as RoiPool
from archcost.layers.indexing.sampling import GridSample as GridSample
from archcost.layers.indexing.scatter import IndexAdd as IndexAdd
from archcost.layers.indexing.scatter import MaskedScatter as MaskedScatter
from archcost.layers.indexing.scatter import Scatter as Scatter
from archcost.layers.indexing.scatter import ScatterAdd as ScatterAdd
from archcost.layers.indexing.scatter_reduce import IndexReduce as IndexReduce
from archcost.layers.indexing.scatter_reduce import ScatterReduce as ScatterReduce
from archcost.layers.indexing.write import Write as Write
from archcost.layers.linear import Bilinear as _Bilinear
from archcost.layers.linear import Linear as _Linear
from archcost.layers.linear_algebra import Inverse as Inverse
from archcost.layers.linear_algebra import Solve as Solve
from archcost.layers.linear_algebra import SolveTriangular as SolveTriangular
from archcost.layers.loss.classes import CrossEntropy as CrossEntropy
from archcost.layers.loss.classes import MultiMargin as MultiMargin
from archcost.layers.loss.classes import MultilabelMargin as MultilabelMargin
from archcost.layers.loss.classes import NLL as NLL
from archcost.layers.loss.ctc import CTC as CTC
from archcost.layers.loss.linear import LinearCrossEntropy as LinearCrossEntropy
from archcost.layers.loss.pairs import BCE as BCE
from archcost.layers.loss.pairs import BCEWithLogits as BCEWithLogits
from archcost.layers.loss.pairs import Huber as Huber
from archcost.layers.loss.pairs import L1Penalty as L1Penalty
from archcost.layers.loss.pairs import MSE as MSE
from archcost.layers.loss.pairs import SmoothL1 as SmoothL1
from archcost.layers.loss.pairs import SoftMargin as SoftMargin
from archcost.layers.matmul.added import AddBMM as AddBMM
from archcost.layers.matmul.added import AddMM as AddMM
from archcost.layers.matmul.added import BAddBMM as BAddBMM
from archcost.layers.matmul.distance import CDist as CDist
from archcost.layers.matmul.einsum import Einsum as Einsum
from archcost.layers.matmul.grouped import GroupedMM as GroupedMM
from archcost.layers.matmul.product import Bmm as Bmm
from archcost.layers.matmul.product import MatMul as MatMul
from archcost.layers.matmul.vector import AddMV as AddMV
from archcost.layers.matmul.vector import AddR as AddR
from archcost.layers.matmul.vector import Dot as Dot
from archcost.layers.matmul.vector import MV as MV
from archcost.layers.normalization.feature_norms import LayerNorm as _LayerNorm
from archcost.layers.normalization.feature_norms import RMSNorm as _RMSNorm
from archcost.layers.normalization.instance_norm import InstanceNorm as _InstanceNorm
from archcost.layers.normalization.local_response_norm import LocalResponseNorm as _LocalResponseNorm
from archcost.layers.normalization.norms import BatchNorm as _BatchNorm
from archcost.layers.normalization.norms import GroupNorm as _GroupNorm
from archcost.layers.normalization.weight_norm import WeightNorm as WeightNorm
from archcost.layers.opaque.function import OwnBackward as OwnBackward
from archcost.layers.opaque.operation import Integers as Integers
from archcost.layers.opaque.operation import Opaque as Opaque
from archcost.layers.parameter import Buffer as Buffer
from archcost.layers.parameter import Constant as Constant
from archcost.layers.parameter import ExpandBatch as ExpandBatch
from archcost.layers.parameter import Parameter as Parameter
from archcost.layers.pooling.pool import AdaptiveAvgPool as _AdaptiveAvgPool
from archcost.layers.pooling.pool import AdaptiveMaxPool as _AdaptiveMaxPool
from archcost.layers.pooling.pool import AvgPool as _AvgPool
from archcost.layers.pooling.pool import DividedPool as _DividedPool
from archcost.layers.pooling.pool import MaxPool as _MaxPool
from archcost.layers.pooling.unpool import MaxUnpool as _MaxUnpool
from archcost.layers.quantization.convolution import IntegerConvolution as _IntegerConvolution
from archcost.layers.quantization.frozen import HqqLinear as HqqLinear
from archcost.layers.quantization.frozen import Linear4bit as Linear4bit
from archcost.layers.quantization.frozen import Linear8bit as Linear8bit
from archcost.layers.quantization.frozen import WeightOnlyLinear as WeightOnlyLinear
from archcost.layers.quantization.linear import QuantizedLinear as QuantizedLinear
from archcost.layers.quantization.products import IntegerLinear as IntegerLinear
from archcost.layers.quantization.products import IntegerMatMul as IntegerMatMul
from archcost.layers.quantization.scaling import Dequantize as Dequantize
from archcost.layers.quantization.scaling import DynamicQuantize as DynamicQuantize
from archcost.layers.quantization.scaling import Quantize as Quantize
from archcost.layers.recurrent.gru import GRU as _GRU
from archcost.layers.recurrent.lstm import LSTM as _LSTM
from archcost.layers.recurrent.rnn import RNN as _RNN
from archcost.layers.reduction.folding import Truth as _Truth
from archcost.layers.reduction.folding import Extreme as _Extreme
from archcost.layers.reduction.folding import Index as _Index
from archcost.layers.reduction.folding import LogSumExp as LogSumExp
from archcost.layers.reduction.folding import Picked as _Picked
from archcost.layers.reduction.folding import Mean as Mean
from archcost.layers.reduction.folding import Prod as Prod
from archcost.layers.reduction.folding import Std as Std
from archcost.layers.reduction.folding import Sum as Sum
from archcost.layers.reduction.folding import Var as Var
from archcost.layers.reduction.norm import Norm as Norm
from archcost.layers.reduction.order import AMinMax as AMinMax
from archcost.layers.reduction.order import CountNonzero as CountNonzero
from archcost.layers.reduction.order import KthValue as KthValue
from archcost.layers.reduction.order import PickedByOrder as _PickedByOrder
from archcost.layers.reduction.order import MiddleOfAll as _MiddleOfAll
from archcost.layers.reduction.order import Multinomial as Multinomial
from archcost.layers.reduction.order import NanSum as NanSum
from archcost.layers.scan import ArgSort as ArgSort
from archcost.layers.scan import RunningExtreme as _RunningExtreme
from archcost.layers.scan import Cumprod as Cumprod
from archcost.layers.scan import Cumsum as Cumsum
from archcost.layers.scan import LogCumsumExp as LogCumsumExp
from archcost.layers.scan import Sort as Sort
from archcost.layers.scan import TopK as TopK
from archcost.layers.shape.concat import Concat as Concat
from archcost.layers.shape.concat import Stack as Stack
from archcost.layers.shape.copy import Cast as Cast
from archcost.layers.shape.copy import CastLike as CastLike
from archcost.layers.shape.copy import Clone as Clone
from archcost.layers.shape.copy import Contiguous as Contiguous
from archcost.layers.shape.diagonal import AsStrided as AsStrided
from archcost.layers.shape.diagonal import Diagonal as Diagonal
from archcost.layers.shape.diagonal import TensorUnfold as TensorUnfold
from archcost.layers.shape.diagonal import Tril as Tril
from archcost.layers.shape.diagonal import Triu as Triu
from archcost.layers.shape.move import ChannelShuffle as _ChannelShuffle
from archcost.layers.shape.move import Flip as Flip
from archcost.layers.shape.move import PixelShuffle as _PixelShuffle
from archcost.layers.shape.move import PixelUnshuffle as _PixelUnshuffle
from archcost.layers.shape.move import RepeatInterleave as RepeatInterleave
from archcost.layers.shape.move import Roll as Roll
from archcost.layers.shape.move import Tile as Tile
from archcost.layers.shape.pad import Pad as _Pad
from archcost.layers.shape.reshape import Flatten as _Flatten
from archcost.layers.shape.reshape import Identity as Identity
from archcost.layers.shape.reshape import Reshape as _Reshape
from archcost.layers.shape.reshape import Unflatten as _Unflatten
from archcost.layers.shape.reshape import View as _View
from archcost.layers.shape.split import Chunk as Chunk
from archcost.layers.shape.split import Split as Split
from archcost.layers.shape.split import Unbind as Unbind
from archcost.layers.shape.views import Detach as Detach
from archcost.layers.shape.views import Expand as Expand
from archcost.layers.shape.views import Permute as _Permute
from archcost.layers.shape.views import Select as Select
from archcost.layers.shape.views import Slice as Slice
from archcost.layers.shape.views import Squeeze as _Squeeze
from archcost.layers.shape.views import Transpose as _Transpose
from archcost.layers.shape.views import Unsqueeze as _Unsqueeze
from archcost.layers.unary import Clamp as Clamp
from archcost.layers.unary import Frac as Frac
from archcost.layers.unary import Logit as Logit
from archcost.layers.unary import NanToNum as NanToNum
from archcost.layers.unary import Polygamma as Polygamma
from archcost.layers.unary import Pow as Pow
from archcost.layers.unary import Round as Round
from archcost.layers.unary import RPow as RPow
from archcost.layers.unary import Rsub as Rsub
from archcost.layers.unary import Scale as Scale
from archcost.layers.unary import Sinc as Sinc
from archcost.layers.upsampling import Upsample as Upsample

INDEX: Path
LAYERS: Mapping[str, type[Layer]]
COMPOSITES: Mapping[str, type[Composite]]
TYPES: Mapping[str, type[Declared]]

def declared() -> dict[str, type[Declared]]: ...

_Derived = TypeVar("_Derived")

class ByType(Mapping[str, _Derived]):
    def __init__(self, of_class: Callable[[type[Layer]], _Derived]) -> None: ...
    def __getitem__(self, type_: str) -> _Derived: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...

class CELU(_Activation):
    alpha: float = ...
    def __init__(self, alpha: float = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., inplace: bool = ...) -> None: ...

class ELU(_Activation):
    alpha: float = ...
    def __init__(self, alpha: float = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., inplace: bool = ...) -> None: ...

class GLU(_GLU):
    def __init__(self, dim: int = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Hardshrink(_ValueFunction):
    lambd: float = ...
    def __init__(self, lambd: float = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Hardsigmoid(_Activation): ...

class Hardswish(_Activation): ...

class Hardtanh(_Activation):
    min_val: float = ...
    max_val: float = ...
    def __init__(self, min_val: float = ..., max_val: float = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., inplace: bool = ...) -> None: ...

class LeakyReLU(_Activation):
    negative_slope: float = ...
    def __init__(self, negative_slope: float = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., inplace: bool = ...) -> None: ...

class LogSoftmax(_LogSoftmax):
    def __init__(self, dim: int, *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Mish(_Activation): ...

class ReLU(_Activation): ...

class ReLU6(_Activation): ...

class SELU(_Activation): ...

class Sigmoid(_OverwritingFunction): ...

class SiLU(_Activation): ...

class Softmax(_Softmax):
    def __init__(self, dim: int, *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Softplus(_ValueFunction):
    beta: float = ...
    threshold: float = ...
    def __init__(self, beta: float = ..., threshold: float = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Softshrink(_ValueFunction):
    lambd: float = ...
    def __init__(self, lambd: float = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Tanh(_OverwritingFunction): ...

class Threshold(_Activation):
    threshold: float
    value: float
    def __init__(self, threshold: float, value: float, *, name: str | None = ..., inputs: tuple[str, ...] = ..., inplace: bool = ...) -> None: ...

class MultiHeadAttention(_MultiHeadAttention):
    def __init__(self, num_heads: int, *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., dropout: float = ..., bias: bool = ..., batch_first: bool = ..., is_causal: bool = ...) -> None: ...

class FMod(_Modulo): ...

class Maximum(_Extremum): ...

class Minimum(_Extremum): ...

class Remainder(_Modulo): ...

class CopySign(_FloatsOfPairs): ...

class FMax(_PairFunction): ...

class FMin(_PairFunction): ...

class Hypot(_FloatsOfPairs): ...

class LdExp(_FloatsOfPairs): ...

class LogAddExp(_FloatingPairs): ...

class LogAddExp2(_FloatingPairs): ...

class XLogY(_FloatsOfPairs): ...

class BitwiseAnd(_Bitwise): ...

class BitwiseOr(_Bitwise): ...

class BitwiseXor(_Bitwise): ...

class Eq(_Comparison): ...

class Ge(_Comparison): ...

class Gt(_Comparison): ...

class IsInf(_Predicate): ...

class IsNan(_Predicate): ...

class Le(_Comparison): ...

class LogicalAnd(_Both): ...

class LogicalNot(_Predicate): ...

class LogicalOr(_Both): ...

class LogicalXor(_Both): ...

class Lt(_Comparison): ...

class Ne(_Comparison): ...

class Conv1d(_Convolution):
    def __init__(self, out_channels: int, kernel_size: int | tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., stride: int | tuple[int, ...] = ..., groups: int = ..., bias: bool = ..., dilation: int | tuple[int, ...] = ..., weight: str | None = ..., padding: int | tuple[int, ...] | Literal['same', 'valid'] = ..., padding_mode: Literal['zeros', 'reflect', 'replicate', 'circular'] = ...) -> None: ...

class Conv2d(_Convolution):
    def __init__(self, out_channels: int, kernel_size: int | tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., stride: int | tuple[int, ...] = ..., groups: int = ..., bias: bool = ..., dilation: int | tuple[int, ...] = ..., weight: str | None = ..., padding: int | tuple[int, ...] | Literal['same', 'valid'] = ..., padding_mode: Literal['zeros', 'reflect', 'replicate', 'circular'] = ...) -> None: ...

class Conv3d(_Convolution):
    def __init__(self, out_channels: int, kernel_size: int | tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., stride: int | tuple[int, ...] = ..., groups: int = ..., bias: bool = ..., dilation: int | tuple[int, ...] = ..., weight: str | None = ..., padding: int | tuple[int, ...] | Literal['same', 'valid'] = ..., padding_mode: Literal['zeros', 'reflect', 'replicate', 'circular'] = ...) -> None: ...

class ConvTranspose1d(_TransposedConvolution):
    def __init__(self, out_channels: int, kernel_size: int | tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., stride: int | tuple[int, ...] = ..., groups: int = ..., bias: bool = ..., dilation: int | tuple[int, ...] = ..., weight: str | None = ..., padding: int | tuple[int, ...] = ..., output_padding: int | tuple[int, ...] = ...) -> None: ...

class ConvTranspose2d(_TransposedConvolution):
    def __init__(self, out_channels: int, kernel_size: int | tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., stride: int | tuple[int, ...] = ..., groups: int = ..., bias: bool = ..., dilation: int | tuple[int, ...] = ..., weight: str | None = ..., padding: int | tuple[int, ...] = ..., output_padding: int | tuple[int, ...] = ...) -> None: ...

class ConvTranspose3d(_TransposedConvolution):
    def __init__(self, out_channels: int, kernel_size: int | tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., stride: int | tuple[int, ...] = ..., groups: int = ..., bias: bool = ..., dilation: int | tuple[int, ...] = ..., weight: str | None = ..., padding: int | tuple[int, ...] = ..., output_padding: int | tuple[int, ...] = ...) -> None: ...

class DeformConv2d(_DeformConv2d):
    def __init__(self, out_channels: int, kernel_size: int | tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., stride: int | tuple[int, ...] = ..., groups: int = ..., bias: bool = ..., dilation: int | tuple[int, ...] = ..., weight: str | None = ..., padding: int | tuple[int, ...] = ...) -> None: ...

class DynamicConv1d(_DynamicConvolution): ...

class DynamicConv2d(_DynamicConvolution): ...

class DynamicConv3d(_DynamicConvolution): ...

class DynamicConvTranspose1d(_DynamicTransposedConvolution): ...

class DynamicConvTranspose2d(_DynamicTransposedConvolution): ...

class DynamicConvTranspose3d(_DynamicTransposedConvolution): ...

class AlphaDropout(_AlphaDropout):
    def __init__(self, p: float = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., inplace: bool = ...) -> None: ...

class Dropout(_Dropout):
    def __init__(self, p: float = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., inplace: bool = ...) -> None: ...

class Dropout1d(_Dropout1d):
    def __init__(self, p: float = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., inplace: bool = ...) -> None: ...

class Dropout2d(_Dropout2d):
    def __init__(self, p: float = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., inplace: bool = ...) -> None: ...

class Dropout3d(_Dropout3d):
    def __init__(self, p: float = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., inplace: bool = ...) -> None: ...

class Embedding(_Embedding):
    def __init__(self, num_embeddings: int, embedding_dim: int, *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., padding_idx: int | None = ..., weight: str | None = ..., scale_grad_by_freq: bool = ..., sparse: bool = ...) -> None: ...

class EmbeddingBag(_EmbeddingBag):
    def __init__(self, num_embeddings: int, embedding_dim: int, *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., padding_idx: int | None = ..., weight: str | None = ..., scale_grad_by_freq: bool = ..., sparse: bool = ..., mode: Literal['sum', 'mean', 'max'] = ..., include_last_offset: bool = ...) -> None: ...

class Bilinear(_Bilinear):
    def __init__(self, out_features: int, *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., bias: bool = ...) -> None: ...

class Linear(_Linear):
    def __init__(self, out_features: int, *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., bias: bool = ..., weight: str | None = ...) -> None: ...

class LayerNorm(_LayerNorm):
    def __init__(self, normalized_shape: int | tuple[int, ...] | None = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., eps: float = ..., elementwise_affine: bool = ..., bias: bool = ...) -> None: ...

class RMSNorm(_RMSNorm):
    def __init__(self, normalized_shape: int | tuple[int, ...] | None = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., eps: float | None = ..., elementwise_affine: bool = ...) -> None: ...

class InstanceNorm1d(_InstanceNorm): ...

class InstanceNorm2d(_InstanceNorm): ...

class InstanceNorm3d(_InstanceNorm): ...

class LocalResponseNorm(_LocalResponseNorm):
    def __init__(self, size: int, *, name: str | None = ..., inputs: tuple[str, ...] = ..., alpha: float = ..., beta: float = ..., k: float = ...) -> None: ...

class BatchNorm1d(_BatchNorm): ...

class BatchNorm2d(_BatchNorm): ...

class BatchNorm3d(_BatchNorm): ...

class GroupNorm(_GroupNorm):
    def __init__(self, num_groups: int, *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., eps: float = ..., affine: bool = ..., bias: bool = ...) -> None: ...

class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    def __init__(self, output_size: int | tuple[int | None, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    def __init__(self, output_size: int | tuple[int | None, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    def __init__(self, output_size: int | tuple[int | None, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    def __init__(self, output_size: int | tuple[int | None, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., return_indices: bool = ...) -> None: ...

class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    def __init__(self, output_size: int | tuple[int | None, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., return_indices: bool = ...) -> None: ...

class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    def __init__(self, output_size: int | tuple[int | None, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., return_indices: bool = ...) -> None: ...

class AvgPool1d(_AvgPool):
    def __init__(self, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., padding: int | tuple[int, ...] = ..., ceil_mode: bool = ..., count_include_pad: bool = ...) -> None: ...

class AvgPool2d(_DividedPool):
    def __init__(self, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., padding: int | tuple[int, ...] = ..., ceil_mode: bool = ..., count_include_pad: bool = ..., divisor_override: int | None = ...) -> None: ...

class AvgPool3d(_DividedPool):
    def __init__(self, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., padding: int | tuple[int, ...] = ..., ceil_mode: bool = ..., count_include_pad: bool = ..., divisor_override: int | None = ...) -> None: ...

class MaxPool1d(_MaxPool):
    def __init__(self, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., padding: int | tuple[int, ...] = ..., ceil_mode: bool = ..., dilation: int | tuple[int, ...] = ..., return_indices: bool = ...) -> None: ...

class MaxPool2d(_MaxPool):
    def __init__(self, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., padding: int | tuple[int, ...] = ..., ceil_mode: bool = ..., dilation: int | tuple[int, ...] = ..., return_indices: bool = ...) -> None: ...

class MaxPool3d(_MaxPool):
    def __init__(self, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ..., padding: int | tuple[int, ...] = ..., ceil_mode: bool = ..., dilation: int | tuple[int, ...] = ..., return_indices: bool = ...) -> None: ...

class MaxUnpool1d(_MaxUnpool): ...

class MaxUnpool2d(_MaxUnpool): ...

class MaxUnpool3d(_MaxUnpool): ...

class IntegerConv1d(_IntegerConvolution):
    def __init__(self, out_channels: int, kernel_size: int | tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: Literal[False] = ..., keep_float32: bool = ..., given: dict[str, str] = ..., stride: int | tuple[int, ...] = ..., groups: int = ..., bias: bool = ..., dilation: int | tuple[int, ...] = ..., weight: str | None = ..., padding: int | tuple[int, ...] | Literal['same', 'valid'] = ..., padding_mode: Literal['zeros'] = ..., weight_dtype: str = ..., scale: bool = ..., zero_point: bool = ..., dtype: str = ...) -> None: ...

class IntegerConv2d(_IntegerConvolution):
    def __init__(self, out_channels: int, kernel_size: int | tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: Literal[False] = ..., keep_float32: bool = ..., given: dict[str, str] = ..., stride: int | tuple[int, ...] = ..., groups: int = ..., bias: bool = ..., dilation: int | tuple[int, ...] = ..., weight: str | None = ..., padding: int | tuple[int, ...] | Literal['same', 'valid'] = ..., padding_mode: Literal['zeros'] = ..., weight_dtype: str = ..., scale: bool = ..., zero_point: bool = ..., dtype: str = ...) -> None: ...

class IntegerConv3d(_IntegerConvolution):
    def __init__(self, out_channels: int, kernel_size: int | tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: Literal[False] = ..., keep_float32: bool = ..., given: dict[str, str] = ..., stride: int | tuple[int, ...] = ..., groups: int = ..., bias: bool = ..., dilation: int | tuple[int, ...] = ..., weight: str | None = ..., padding: int | tuple[int, ...] | Literal['same', 'valid'] = ..., padding_mode: Literal['zeros'] = ..., weight_dtype: str = ..., scale: bool = ..., zero_point: bool = ..., dtype: str = ...) -> None: ...

class GRU(_GRU):
    def __init__(self, hidden_size: int, *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., num_layers: int = ..., bias: bool = ..., batch_first: bool = ..., bidirectional: bool = ..., dropout: float = ...) -> None: ...

class LSTM(_LSTM):
    def __init__(self, hidden_size: int, *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., num_layers: int = ..., bias: bool = ..., batch_first: bool = ..., bidirectional: bool = ..., dropout: float = ..., proj_size: int = ...) -> None: ...

class RNN(_RNN):
    def __init__(self, hidden_size: int, *, name: str | None = ..., inputs: tuple[str, ...] = ..., trainable: bool = ..., keep_float32: bool = ..., given: dict[str, str] = ..., num_layers: int = ..., bias: bool = ..., batch_first: bool = ..., bidirectional: bool = ..., dropout: float = ..., nonlinearity: Literal['tanh', 'relu'] = ...) -> None: ...

class All(_Truth): ...

class AMax(_Extreme): ...

class AMin(_Extreme): ...

class AnyTrue(_Truth): ...

class ArgMax(_Index): ...

class ArgMin(_Index): ...

class Max(_Picked): ...

class Min(_Picked): ...

class Median(_PickedByOrder): ...

class MedianAll(_MiddleOfAll): ...

class Mode(_PickedByOrder): ...

class NanMedian(_PickedByOrder): ...

class NanMedianAll(_MiddleOfAll): ...

class Cummax(_RunningExtreme): ...

class Cummin(_RunningExtreme): ...

class ChannelShuffle(_ChannelShuffle):
    def __init__(self, groups: int, *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class PixelShuffle(_PixelShuffle):
    def __init__(self, upscale_factor: int, *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class PixelUnshuffle(_PixelUnshuffle):
    def __init__(self, downscale_factor: int, *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Pad(_Pad):
    def __init__(self, pad: tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ..., mode: Literal['constant', 'reflect', 'replicate', 'circular'] = ..., value: float | None = ...) -> None: ...

class Flatten(_Flatten):
    def __init__(self, start_dim: int = ..., end_dim: int = ..., *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Reshape(_Reshape):
    def __init__(self, shape: tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Unflatten(_Unflatten):
    def __init__(self, dim: int, unflattened_size: tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class View(_View):
    def __init__(self, shape: tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Permute(_Permute):
    def __init__(self, dims: tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Squeeze(_Squeeze):
    def __init__(self, dim: int | tuple[int, ...], *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Transpose(_Transpose):
    def __init__(self, dim0: int, dim1: int, *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Unsqueeze(_Unsqueeze):
    def __init__(self, dim: int, *, name: str | None = ..., inputs: tuple[str, ...] = ...) -> None: ...

class Abs(_OverwritingFunction): ...

class Acos(_OverwritingFunction): ...

class Acosh(_ValueFunction): ...

class Asin(_OverwritingFunction): ...

class Asinh(_ValueFunction): ...

class Atan(_OverwritingFunction): ...

class Atanh(_ValueFunction): ...

class Ceil(_OverwritingFunction): ...

class Cos(_OverwritingFunction): ...

class Cosh(_OverwritingFunction): ...

class Digamma(_OverwritingFunction): ...

class Entr(_ValueFunction): ...

class Erf(_OverwritingFunction): ...

class Erfc(_OverwritingFunction): ...

class Erfcx(_ValueFunction): ...

class Erfinv(_OverwritingFunction): ...

class Exp(_OverwritingFunction): ...

class Exp2(_OverwritingFunction): ...

class Expm1(_OverwritingFunction): ...

class Floor(_OverwritingFunction): ...

class I0(_OverwritingFunction): ...

class I0e(_ValueFunction): ...

class Lgamma(_OverwritingFunction): ...

class Log(_OverwritingFunction): ...

class Log10(_OverwritingFunction): ...

class Log1p(_OverwritingFunction): ...

class Log2(_OverwritingFunction): ...

class LogNdtr(_ValueFunction): ...

class Ndtri(_ValueFunction): ...

class Neg(_OverwritingFunction): ...

class Reciprocal(_OverwritingFunction): ...

class Rsqrt(_OverwritingFunction): ...

class Sign(_OverwritingFunction): ...

class Sin(_OverwritingFunction): ...

class Sinh(_OverwritingFunction): ...

class Sqrt(_OverwritingFunction): ...

class Tan(_OverwritingFunction): ...

class Trunc(_OverwritingFunction): ...
