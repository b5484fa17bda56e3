"""Eight floats side by side, for numba: the unit that a processor's vector instructions work on.

LLVM turns these into AVX, AVX-512 or NEON; numba alone leaves such loops to its auto-vectoriser, which
gathers voxel by voxel and is several times slower.
"""

import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.extending import intrinsic, overload

LANES = 8

_FLOAT = ir.FloatType()
_INT64 = ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_FAST = ("fast",)


class LanesType(types.Type):
    def __init__(self):
        super().__init__(name=f"Lanes{LANES}")


lanes_type = LanesType()


@register_default(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, numba_type):
        super().__init__(manager, numba_type, _VECTOR)


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_VECTOR, [value] * LANES)


def _call(builder, name: str, result, arguments):
    signature = ir.FunctionType(result, [a.type for a in arguments])
    function = cgutils.get_or_insert_function(builder.module, signature, name)
    return builder.call(function, arguments, fastmath=_FAST)


def _size(builder, x):
    return _call(builder, f"llvm.fabs.v{LANES}f32", _VECTOR, [x])


@intrinsic
def splat(typing, x):
    """All lanes hold the float32 ``x``."""

    def code(context, builder, signature, arguments):
        undefined = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(undefined, arguments[0], ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, undefined, zeros)

    return lanes_type(types.float32), code


@intrinsic
def ramp(typing):
    """0, 1, 2, ..."""

    def code(context, builder, signature, arguments):
        return ir.Constant(_VECTOR, [float(lane) for lane in range(LANES)])

    return lanes_type(), code


@intrinsic
def total(typing, x):
    """The sum of the lanes, a float32."""

    def code(context, builder, signature, arguments):
        start = ir.Constant(_FLOAT, 0.0)
        return _call(builder, f"llvm.vector.reduce.fadd.v{LANES}f32", _FLOAT, [start, arguments[0]])

    return types.float32(lanes_type), code


@intrinsic
def hat(typing, x):
    """max(0, 1 - |x|): the weight of a voxel at distance x in linear interpolation."""

    def code(context, builder, signature, arguments):
        y = builder.fsub(_constant(1.0), _size(builder, arguments[0]), flags=_FAST)
        positive = builder.fcmp_ordered(">", y, _constant(0.0), flags=_FAST)
        return builder.select(positive, y, _constant(0.0))

    return lanes_type(lanes_type), code


@intrinsic
def hat_slope(typing, x):
    """Derivative of `hat`, from the right where it jumps: 1 in [-1, 0), -1 in [0, 1), else 0."""

    def code(context, builder, signature, arguments):
        (x,) = arguments
        left = builder.fcmp_ordered("<", x, _constant(0.0), flags=_FAST)
        sign = builder.select(left, _constant(1.0), _constant(-1.0))
        above = builder.fcmp_ordered(">=", x, _constant(-1.0), flags=_FAST)
        below = builder.fcmp_ordered("<", x, _constant(1.0), flags=_FAST)
        return builder.select(builder.and_(above, below), sign, _constant(0.0))

    return lanes_type(lanes_type), code


@intrinsic
def clamped(typing, x):
    """x limited to [0, 1]."""

    def code(context, builder, signature, arguments):
        (x,) = arguments
        positive = builder.fcmp_ordered(">", x, _constant(0.0), flags=_FAST)
        x = builder.select(positive, x, _constant(0.0))
        small = builder.fcmp_ordered("<", x, _constant(1.0), flags=_FAST)
        return builder.select(small, x, _constant(1.0))

    return lanes_type(lanes_type), code


@intrinsic
def within(typing, x):
    """1 where 0 < x < 1, else 0: the derivative of `clamped`."""

    def code(context, builder, signature, arguments):
        (x,) = arguments
        above = builder.fcmp_ordered(">", x, _constant(0.0), flags=_FAST)
        below = builder.fcmp_ordered("<", x, _constant(1.0), flags=_FAST)
        return builder.select(builder.and_(above, below), _constant(1.0), _constant(0.0))

    return lanes_type(lanes_type), code


def _pointer(context, builder, array_type, array, group):
    """Address of the entry LANES * group of a flat array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [builder.mul(group, ir.Constant(_INT64, LANES))])


@intrinsic
def load(typing, flat, group):
    """Entries LANES * group and on of a flat float32 or int16 array, as floats; no bounds are checked."""
    is_float = flat.dtype == types.float32

    def code(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], *arguments)
        if is_float:
            return builder.load(builder.bitcast(pointer, _VECTOR.as_pointer()), align=4)
        shorts = ir.VectorType(ir.IntType(16), LANES)
        whole = ir.VectorType(ir.IntType(32), LANES)
        value = builder.load(builder.bitcast(pointer, shorts.as_pointer()), align=2)
        return builder.sitofp(builder.sext(value, whole), _VECTOR)

    return lanes_type(flat, types.int64), code


@intrinsic
def add_to(typing, flat, group, x):
    """Adds the lanes to entries LANES * group and on of a flat float32 array; no bounds are checked."""

    def code(context, builder, signature, arguments):
        array, place, x = arguments
        pointer = _pointer(context, builder, signature.args[0], array, place)
        pointer = builder.bitcast(pointer, _VECTOR.as_pointer())
        value = builder.fadd(builder.load(pointer, align=4), x, flags=_FAST)
        builder.store(value, pointer, align=4)
        return context.get_dummy_value()

    return types.void(flat, types.int64, lanes_type), code


def _operator(instruction: str, python_operator) -> None:
    @intrinsic
    def apply(typing, x, y):
        def code(context, builder, signature, arguments):
            return getattr(builder, instruction)(*arguments, flags=_FAST)

        return lanes_type(lanes_type, lanes_type), code

    @overload(python_operator)
    def lanewise(x, y):
        if isinstance(x, LanesType) and isinstance(y, LanesType):
            return lambda x, y: apply(x, y)
        return None


_operator("fadd", operator.add)
_operator("fsub", operator.sub)
_operator("fmul", operator.mul)
