// The CPython face of include/storeprof/profile.hpp: a wrapper for functions (vectorcall), scopes and operations for
// `with`, memory tags. No logic of recording lives here.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#ifndef STOREPROF_ENABLE
#define STOREPROF_ENABLE
#endif
#include <storeprof/profile.hpp>

namespace {

using storeprof::Site;

PyObject* update_wrapper = nullptr;  // functools.update_wrapper

// ---- Names ----

PyObject* utf8(PyObject* text) {  // bytes; what UTF-8 can't hold (file names of other encodings) is escaped, not refused
  return PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
}

// 0 as number when the recorder has no room or never started: such a site stays uncounted.
bool intern(PyObject* name, PyObject* file, long line, uint32_t* id) {
  PyObject* name_bytes = utf8(name);
  PyObject* file_bytes = file ? utf8(file) : PyBytes_FromString("");
  if (name_bytes && file_bytes) {
    const storeprof::Lock lock;
    *id = storeprof::intern({PyBytes_AS_STRING(name_bytes), static_cast<size_t>(PyBytes_GET_SIZE(name_bytes))},
                            {PyBytes_AS_STRING(file_bytes), static_cast<size_t>(PyBytes_GET_SIZE(file_bytes))},
                            static_cast<uint32_t>(line));
  }
  const bool done = name_bytes && file_bytes;
  Py_XDECREF(name_bytes);
  Py_XDECREF(file_bytes);
  return done;
}

bool is_name(PyObject* name, const char* function) {
  if (!PyUnicode_Check(name)) {
    PyErr_Format(PyExc_TypeError, "%s needs a name (str), not %.100s", function, Py_TYPE(name)->tp_name);
    return false;
  }
  if (PyUnicode_GET_LENGTH(name) == 0) {
    PyErr_Format(PyExc_ValueError, "%s needs a name that is not empty", function);
    return false;
  }
  return true;
}

PyObject* attribute(PyObject* object, const char* name) {  // new reference, or null without an error
  PyObject* value = PyObject_GetAttrString(object, name);
  if (!value) PyErr_Clear();
  return value;
}

// The code object behind a callable, through the wrappers that functools.wraps leaves; null without an error.
PyObject* code_of(PyObject* callable) {
  PyObject* function = Py_NewRef(callable);
  for (int depth = 0; depth < 64; ++depth) {
    PyObject* inner = attribute(function, "__wrapped__");
    if (!inner) break;
    Py_SETREF(function, inner);
  }
  PyObject* code = attribute(function, "__code__");
  Py_DECREF(function);
  if (code && !PyCode_Check(code)) Py_CLEAR(code);
  return code;
}

// "package.module.Class.method"; for __main__ the stem of its file, which is the same in every run and in every report.
PyObject* dotted_name(PyObject* callable, PyObject* file) {
  PyObject* qualname = attribute(callable, "__qualname__");
  if (!qualname || !PyUnicode_Check(qualname)) Py_XSETREF(qualname, PyUnicode_FromString(Py_TYPE(callable)->tp_name));
  PyObject* module = attribute(callable, "__module__");
  if (module && PyUnicode_Check(module) && file && PyUnicode_CompareWithASCIIString(module, "__main__") == 0) {
    const Py_ssize_t length = PyUnicode_GET_LENGTH(file);
    const Py_ssize_t slash = PyUnicode_FindChar(file, '/', 0, length, -1);
    const Py_ssize_t dot = PyUnicode_FindChar(file, '.', slash + 1, length, -1);
    if (length > 0 && PyUnicode_READ_CHAR(file, 0) != '<')  // <stdin>, <string>
      Py_SETREF(module, PyUnicode_Substring(file, slash + 1, dot > slash + 1 ? dot : length));
  }
  PyObject* name = nullptr;
  if (qualname)
    name = module && PyUnicode_Check(module) ? PyUnicode_FromFormat("%U.%U", module, qualname) : Py_NewRef(qualname);
  Py_XDECREF(module);
  Py_XDECREF(qualname);
  return name;
}

bool describe(PyObject* callable, PyObject* name, bool operation, Site* site) {
  PyObject* code = code_of(callable);
  PyObject* file = code ? attribute(code, "co_filename") : nullptr;
  if (file && !PyUnicode_Check(file)) Py_CLEAR(file);
  const long line = code ? reinterpret_cast<PyCodeObject*>(code)->co_firstlineno : 0;
  PyObject* text = name ? Py_NewRef(name) : dotted_name(callable, file);
  *site = {nullptr, nullptr, 0, operation, false, 0};
  const bool done = text && intern(text, file, line, &site->id);
  Py_XDECREF(text);
  Py_XDECREF(file);
  Py_XDECREF(code);
  return done;
}

PyTypeObject blank_type() {
  PyTypeObject type = {};
  Py_SET_REFCNT(&type, 1);
  return type;
}

// ---- Wrapped functions ----

struct Wrapped {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  vectorcallfunc* inner;  // where a Python function keeps its own entry; null: through the protocol
  PyObject *callable, *dict, *weakrefs;
  Site site;
};

PyObject* wrapped_call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  auto* w = reinterpret_cast<Wrapped*>(self);
  const uint32_t index = storeprof::is_on() ? storeprof::enter(w->site) : 0;
  PyObject* result = w->inner && *w->inner ? (*w->inner)(w->callable, args, nargsf, keywords)
                                           : PyObject_Vectorcall(w->callable, args, nargsf, keywords);
  if (index) storeprof::leave(index);
  return result;
}

extern PyTypeObject ProfiledFunction, ProfiledCallable;

PyObject* new_wrapped(PyObject* callable, const Site& site) {
  const bool binds = PyType_HasFeature(Py_TYPE(callable), Py_TPFLAGS_METHOD_DESCRIPTOR);
  PyTypeObject* type = binds ? &ProfiledFunction : &ProfiledCallable;
  auto* w = reinterpret_cast<Wrapped*>(type->tp_alloc(type, 0));
  if (!w) return nullptr;
  w->vectorcall = wrapped_call;
  w->inner = PyFunction_Check(callable) ? &reinterpret_cast<PyFunctionObject*>(callable)->vectorcall : nullptr;
  w->callable = Py_NewRef(callable);
  w->site = site;
  auto* self = reinterpret_cast<PyObject*>(w);
  PyObject* done = PyObject_CallFunctionObjArgs(update_wrapper, self, callable, nullptr);
  if (!done) Py_CLEAR(self);
  Py_XDECREF(done);
  return self;
}

int wrapped_traverse(PyObject* self, visitproc visit, void* arg) {
  auto* w = reinterpret_cast<Wrapped*>(self);
  Py_VISIT(w->callable);
  Py_VISIT(w->dict);
  return 0;
}
int wrapped_clear(PyObject* self) {
  // The callable stays: a call that is running inside it may be what holds the last reference.
  Py_CLEAR(reinterpret_cast<Wrapped*>(self)->dict);
  return 0;
}
void wrapped_dealloc(PyObject* self) {
  auto* w = reinterpret_cast<Wrapped*>(self);
  PyObject_GC_UnTrack(self);
  if (w->weakrefs) PyObject_ClearWeakRefs(self);
  Py_CLEAR(w->dict);
  Py_CLEAR(w->callable);
  Py_TYPE(self)->tp_free(self);
}
PyObject* wrapped_repr(PyObject* self) {
  return PyUnicode_FromFormat("<profiled %R>", reinterpret_cast<Wrapped*>(self)->callable);
}
// What the wrapper hasn't is the function's: __code__, __defaults__, an lru_cache's cache_clear.
PyObject* wrapped_getattr(PyObject* self, PyObject* name) {
  PyObject* value = PyObject_GenericGetAttr(self, name);
  if (value || !PyErr_ExceptionMatches(PyExc_AttributeError)) return value;
  PyErr_Clear();
  return PyObject_GetAttr(reinterpret_cast<Wrapped*>(self)->callable, name);
}
PyObject* function_bind(PyObject* self, PyObject* object, PyObject*) {
  return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}
// A callable that binds in its own way keeps that way; one that doesn't bind (a built-in, a class) doesn't.
PyObject* callable_bind(PyObject* self, PyObject* object, PyObject* type) {
  auto* w = reinterpret_cast<Wrapped*>(self);
  const descrgetfunc bind = Py_TYPE(w->callable)->tp_descr_get;
  PyObject* bound = bind ? bind(w->callable, object, type) : Py_NewRef(w->callable);
  if (!bound) return nullptr;
  PyObject* result = bound == w->callable || !PyCallable_Check(bound) ? Py_NewRef(bound == w->callable ? self : bound)
                                                                      : new_wrapped(bound, w->site);
  Py_DECREF(bound);
  return result;
}
PyObject* wrapped_reduce(PyObject* self, PyObject*) { return PyObject_GetAttrString(self, "__qualname__"); }

PyMethodDef wrapped_methods[] = {{"__reduce__", wrapped_reduce, METH_NOARGS, "Pickled by qualified name, as functions are."},
                                 {nullptr, nullptr, 0, nullptr}};
PyGetSetDef wrapped_getset[] = {{"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
                                {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyTypeObject wrapped_type(const char* name, unsigned long flags, descrgetfunc bind) {
  PyTypeObject type = blank_type();
  type.tp_name = name;
  type.tp_basicsize = sizeof(Wrapped);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                  Py_TPFLAGS_DISALLOW_INSTANTIATION | flags;
  type.tp_vectorcall_offset = offsetof(Wrapped, vectorcall);
  type.tp_dictoffset = offsetof(Wrapped, dict);
  type.tp_weaklistoffset = offsetof(Wrapped, weakrefs);
  type.tp_call = PyVectorcall_Call;
  type.tp_descr_get = bind;
  type.tp_dealloc = wrapped_dealloc;
  type.tp_traverse = wrapped_traverse;
  type.tp_clear = wrapped_clear;
  type.tp_repr = wrapped_repr;
  type.tp_getattro = wrapped_getattr;
  type.tp_setattro = PyObject_GenericSetAttr;
  type.tp_methods = wrapped_methods;
  type.tp_getset = wrapped_getset;
  type.tp_alloc = PyType_GenericAlloc;
  type.tp_free = PyObject_GC_Del;
  return type;
}
PyTypeObject ProfiledFunction =
    wrapped_type("storeprof.probe._recorder.ProfiledFunction", Py_TPFLAGS_METHOD_DESCRIPTOR, function_bind);
PyTypeObject ProfiledCallable = wrapped_type("storeprof.probe._recorder.ProfiledCallable", 0, callable_bind);

PyObject* wrap(PyObject* callable, PyObject* name, bool operation) {
  PyTypeObject* outer = Py_TYPE(callable);
  if (outer == &PyStaticMethod_Type || outer == &PyClassMethod_Type) {  // what is inside is timed; the binding stays outside
    PyObject* function = PyObject_GetAttrString(callable, "__func__");
    PyObject* inner = function ? wrap(function, name, operation) : nullptr;
    PyObject* result = inner ? PyObject_CallOneArg(reinterpret_cast<PyObject*>(outer), inner) : nullptr;
    Py_XDECREF(function);
    Py_XDECREF(inner);
    return result;
  }
  if (!PyCallable_Check(callable)) {
    const bool property = PyObject_TypeCheck(callable, &PyProperty_Type);
    PyErr_Format(PyExc_TypeError, "%s needs a function or a name (str), not %.100s%s",
                 operation ? "profile_operation" : "profile_function", outer->tp_name,
                 property ? ": put it below @property" : "");
    return nullptr;
  }
  Site site;
  return describe(callable, name, operation, &site) ? new_wrapped(callable, site) : nullptr;
}

// ---- Scopes and operations ----
// One object per name, for ever, without any state of its own: the open scopes lie on each thread's stack of frames.

struct Bound {  // the ready-made `scope.__enter__` or `scope.__exit__`: binding one for each `with` costs more than the scope
  PyObject_HEAD
  vectorcallfunc vectorcall;
  PyObject* scope;  // borrowed: scopes are never freed
};
struct Scope {
  PyObject_HEAD
  Site site;
  PyObject *name, *enter, *exit;
};

void enter_scope(Site& site) {
  storeprof::Thread* t = storeprof::open_thread();
  if (storeprof::is_on()) {
    if (storeprof::enter(site) == 0 && (t = storeprof::current)) ++t->overflow;
  } else if (t && t->top != t->frames) {  // switched off inside an open scope: a frame all the same, so that exits match
    if (t->top + 1 == t->end && !storeprof::grow_frames(t)) ++t->overflow;
    else storeprof::push_uncounted(t, site.id);
  }
}
void leave_scope(const Site& site) {
  storeprof::Thread* t = storeprof::open_thread();
  if (!t || t->top == t->frames) return;  // entered while off, or before a fork
  if (t->overflow) {
    --t->overflow;
    return;
  }
  const storeprof::Frame* f = t->top;
  while (f > t->frames && f->name_id != site.id) --f;
  if (f > t->frames) storeprof::leave_on(t, static_cast<uint32_t>(f - t->frames));
  else storeprof::drop();  // entered on another thread
}

PyObject* call_enter(PyObject* self, PyObject* const*, size_t, PyObject*) {
  auto* scope = reinterpret_cast<Scope*>(reinterpret_cast<Bound*>(self)->scope);
  enter_scope(scope->site);
  return Py_NewRef(scope);
}
PyObject* call_exit(PyObject* self, PyObject* const*, size_t, PyObject*) {
  leave_scope(reinterpret_cast<Scope*>(reinterpret_cast<Bound*>(self)->scope)->site);
  Py_RETURN_NONE;
}

struct Descriptor {  // `__enter__` and `__exit__` on the type
  PyObject_HEAD
  vectorcallfunc vectorcall;
  Py_ssize_t offset;  // of the ready-made callable in the Scope
};
extern PyTypeObject ScopeType;

PyObject* bound_of(PyObject* descriptor, PyObject* scope) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(scope) + reinterpret_cast<Descriptor*>(descriptor)->offset);
}
PyObject* descriptor_get(PyObject* self, PyObject* scope, PyObject*) {
  return Py_NewRef(scope && scope != Py_None ? bound_of(self, scope) : self);
}
// type(scope).__enter__(scope), as contextlib.ExitStack does it
PyObject* descriptor_call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
  if (count < 1 || !PyObject_TypeCheck(args[0], &ScopeType)) {
    PyErr_SetString(PyExc_TypeError, "__enter__ and __exit__ of a scope need the scope as first argument");
    return nullptr;
  }
  return PyObject_Vectorcall(bound_of(self, args[0]), args + 1, static_cast<size_t>(count - 1), keywords);
}

PyTypeObject callable_type(const char* name, Py_ssize_t size, Py_ssize_t vectorcall_offset, descrgetfunc get) {
  PyTypeObject type = blank_type();
  type.tp_name = name;
  type.tp_basicsize = size;
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  type.tp_vectorcall_offset = vectorcall_offset;
  type.tp_call = PyVectorcall_Call;
  type.tp_descr_get = get;
  return type;
}
PyTypeObject BoundType =
    callable_type("storeprof.probe._recorder.bound", sizeof(Bound), offsetof(Bound, vectorcall), nullptr);
PyTypeObject DescriptorType = callable_type("storeprof.probe._recorder.descriptor", sizeof(Descriptor),
                                            offsetof(Descriptor, vectorcall), descriptor_get);

PyObject* scope_repr(PyObject* self) {
  const bool operation = reinterpret_cast<Scope*>(self)->site.operation;
  return PyUnicode_FromFormat("profile_%s(%R)", operation ? "operation" : "scope", reinterpret_cast<Scope*>(self)->name);
}
PyObject* scope_reduce(PyObject* self, PyObject*) {
  auto* scope = reinterpret_cast<Scope*>(self);
  PyObject* module = PyImport_ImportModule("storeprof.probe._recorder");
  PyObject* maker = module ? PyObject_GetAttrString(module, scope->site.operation ? "profile_operation" : "profile_scope")
                           : nullptr;
  Py_XDECREF(module);
  return maker ? Py_BuildValue("(N(O))", maker, scope->name) : nullptr;
}
PyObject* operation_call(PyObject* self, PyObject* args, PyObject* keywords) {  // as a decorator
  if (PyTuple_GET_SIZE(args) != 1 || (keywords && PyDict_GET_SIZE(keywords))) {
    PyErr_Format(PyExc_TypeError, "%R decorates one function", self);
    return nullptr;
  }
  return wrap(PyTuple_GET_ITEM(args, 0), reinterpret_cast<Scope*>(self)->name, true);
}
PyMethodDef scope_methods[] = {{"__reduce__", scope_reduce, METH_NOARGS, "Pickled by name."}, {nullptr, nullptr, 0, nullptr}};

PyTypeObject scope_type(const char* name, PyTypeObject* parent, ternaryfunc call) {
  PyTypeObject type = blank_type();
  type.tp_name = name;
  type.tp_basicsize = sizeof(Scope);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | (parent ? 0 : Py_TPFLAGS_BASETYPE);
  type.tp_base = parent;
  type.tp_call = call;
  type.tp_repr = scope_repr;
  type.tp_methods = scope_methods;
  return type;
}
PyTypeObject ScopeType = scope_type("storeprof.probe._recorder.Scope", nullptr, nullptr);
PyTypeObject OperationType = scope_type("storeprof.probe._recorder.Operation", &ScopeType, operation_call);

PyObject* new_bound(PyObject* scope, vectorcallfunc call) {
  Bound* bound = PyObject_New(Bound, &BoundType);
  if (!bound) return nullptr;
  bound->vectorcall = call;
  bound->scope = scope;
  return reinterpret_cast<PyObject*>(bound);
}
PyObject* new_scope(PyTypeObject* type, PyObject* name) {
  const bool operation = type == &OperationType;
  if (!is_name(name, operation ? "profile_operation" : "profile_scope")) return nullptr;
  Scope* scope = PyObject_New(Scope, type);
  if (!scope) return nullptr;
  auto* self = reinterpret_cast<PyObject*>(scope);
  scope->site = {nullptr, nullptr, 0, operation, false, 0};
  scope->name = Py_NewRef(name);
  scope->enter = new_bound(self, call_enter);
  scope->exit = new_bound(self, call_exit);
  // On an error (no memory) the half-made object is abandoned: nothing here is ever freed.
  return scope->enter && scope->exit && intern(name, nullptr, 0, &scope->site.id) ? self : nullptr;
}
// The one object of this name.
PyObject* scope_of(PyObject* cache, PyTypeObject* type, PyObject* name) {
  PyObject* scope = PyUnicode_CheckExact(name) ? PyDict_GetItemWithError(cache, name) : nullptr;
  if (scope) return Py_NewRef(scope);
  if (PyErr_Occurred() || !(scope = new_scope(type, name))) return nullptr;
  return Py_XNewRef(PyDict_SetDefault(cache, reinterpret_cast<Scope*>(scope)->name, scope));
}

// ---- The module ----

PyObject *scopes = nullptr, *operations = nullptr, *tags = nullptr;  // name -> Scope, Operation, number of the name

PyObject* profile_scope(PyObject*, PyObject* name) { return scope_of(scopes, &ScopeType, name); }
PyObject* profile_operation(PyObject*, PyObject* what) {
  return PyUnicode_Check(what) ? scope_of(operations, &OperationType, what) : wrap(what, nullptr, true);
}
PyObject* wrap_named(PyObject* name, PyObject* function) { return wrap(function, name, false); }
PyMethodDef named_decorator = {"profile_function", wrap_named, METH_O, nullptr};
PyObject* profile_function(PyObject*, PyObject* what) {
  if (!PyUnicode_Check(what)) return wrap(what, nullptr, false);
  return is_name(what, "profile_function") ? PyCFunction_New(&named_decorator, what) : nullptr;
}

bool tag_number(PyObject* name, const char* function, uint32_t* id) {
  PyObject* number = PyUnicode_CheckExact(name) ? PyDict_GetItemWithError(tags, name) : nullptr;
  if (number) {
    *id = static_cast<uint32_t>(PyLong_AsUnsignedLong(number));
    return true;
  }
  if (PyErr_Occurred() || !is_name(name, function) || !intern(name, nullptr, 0, id)) return false;
  number = PyLong_FromUnsignedLong(*id);
  const bool done = number && (*id == 0 || PyDict_SetItem(tags, name, number) == 0);
  Py_XDECREF(number);
  return done;
}
PyObject* count_memory(PyObject* const* args, Py_ssize_t count, const char* function, void (*counter)(Site&, uint64_t)) {
  if (count != 2)
    return PyErr_Format(PyExc_TypeError, "%s needs the type's name and the number of bytes", function);
  Site site{nullptr, nullptr, 0, false, false, 0};
  if (!tag_number(args[0], function, &site.id)) return nullptr;
  if (!PyIndex_Check(args[1]))
    return PyErr_Format(PyExc_TypeError, "%s needs bytes as an int, not %.100s", function, Py_TYPE(args[1])->tp_name);
  const Py_ssize_t bytes = PyNumber_AsSsize_t(args[1], PyExc_OverflowError);
  if (bytes == -1 && PyErr_Occurred()) return nullptr;
  if (bytes < 0) return PyErr_Format(PyExc_ValueError, "%s: bytes must not be negative, got %zd", function, bytes);
  if (storeprof::is_on()) counter(site, static_cast<uint64_t>(bytes));
  Py_RETURN_NONE;
}
PyObject* memory_alloc(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return count_memory(args, count, "profile_memory_alloc", storeprof::count_allocation);
}
PyObject* memory_dealloc(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return count_memory(args, count, "profile_memory_dealloc", storeprof::count_free);
}

PyObject* memory_fd(PyObject*, PyObject*) { return PyLong_FromLong(storeprof::registry.header ? storeprof::registry.fd : -1); }
PyObject* gate(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count > 1 || (count == 1 && args[0] != Py_None && !PyBool_Check(args[0])))
    return PyErr_Format(PyExc_TypeError, "gate needs True, False or None");
  if (count == 1 && args[0] != Py_None && storeprof::registry.header)
    storeprof::store(*storeprof::registry.gate, args[0] == Py_True ? 1u : 0u);
  return PyBool_FromLong(storeprof::is_on());
}
PyObject* calibrate(PyObject*, PyObject*) {
  const storeprof::Lock lock;
  return PyFloat_FromDouble(static_cast<double>(storeprof::calibrate()) / 1000.0);
}

#define FAST(function) reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function))
PyMethodDef functions[] = {
    {"profile_function", profile_function, METH_O,
     "profile_function(function_or_name, /)\n--\n\n"
     "Times every call of a function: `@profile_function` or `@profile_function(\"name\")`.\n\n"
     "Works on functions, methods, and on staticmethod and classmethod on either side; put it below @property.\n"
     "Name, signature, docstring, annotations, attributes and pickling stay the function's own. Without a name\n"
     "it is recorded as `module.qualname` with file and first line (the file's stem in place of `__main__`).\n\n"
     "Of a generator or an async function only the creating call is timed in this version.\n"
     "Raises TypeError for anything but a function or a str, ValueError for an empty name."},
    {"profile_scope", profile_scope, METH_O,
     "profile_scope(name, /)\n--\n\n"
     "A context manager that times its block under `name`.\n\n"
     "One object per name: re-entrant, usable from several threads at once, cheap to ask for each time.\n"
     "Raises TypeError when the name is not a str, ValueError when it is empty."},
    {"profile_operation", profile_operation, METH_O,
     "profile_operation(name_or_function, /)\n--\n\n"
     "An operation of the engine (a read, a write, a commit), said outright: `with profile_operation(\"put\"):`,\n"
     "`@profile_operation(\"put\")` or `@profile_operation`. Latency and tail are reported per operation.\n\n"
     "Of a generator or an async function only the creating call is timed.\n"
     "Raises TypeError for anything but a function or a str, ValueError for an empty name."},
    {"profile_memory_alloc", FAST(memory_alloc), METH_FASTCALL,
     "profile_memory_alloc(type_name, bytes, /)\n--\n\n"
     "Counts one allocation of `bytes` bytes under `type_name`.\n\n"
     "Raises TypeError for a name that is not a str or bytes that are not an int, ValueError for negative bytes."},
    {"profile_memory_dealloc", FAST(memory_dealloc), METH_FASTCALL,
     "profile_memory_dealloc(type_name, bytes, /)\n--\n\n"
     "Counts one release of `bytes` bytes under `type_name`; any thread may release.\n\n"
     "Raises TypeError for a name that is not a str or bytes that are not an int, ValueError for negative bytes."},
    {"memory_fd", memory_fd, METH_NOARGS, "memory_fd()\n--\n\nThe shared memory's descriptor, -1 when there is none."},
    {"gate", FAST(gate), METH_FASTCALL, "gate(on=None, /)\n--\n\nSets the gate when told, and says where it stands."},
    {"calibrate", calibrate, METH_NOARGS,
     "calibrate()\n--\n\nMeasures the cost of one scope in ticks, stores it in the header, and returns it."},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "storeprof.probe._recorder", "The recorder of storeprof's probe.", -1,
                          functions, nullptr, nullptr, nullptr, nullptr};

bool add_descriptor(const char* name, Py_ssize_t offset) {
  Descriptor* d = PyObject_New(Descriptor, &DescriptorType);
  if (!d) return false;
  d->vectorcall = descriptor_call;
  d->offset = offset;
  const bool done = PyDict_SetItemString(ScopeType.tp_dict, name, reinterpret_cast<PyObject*>(d)) == 0;
  Py_DECREF(d);
  PyType_Modified(&ScopeType);
  return done;
}

}  // namespace

PyMODINIT_FUNC PyInit__recorder() {
  for (PyTypeObject* type : {&ProfiledFunction, &ProfiledCallable, &BoundType, &DescriptorType, &ScopeType, &OperationType})
    if (PyType_Ready(type) < 0) return nullptr;
  if (!add_descriptor("__enter__", offsetof(Scope, enter)) || !add_descriptor("__exit__", offsetof(Scope, exit))) return nullptr;
  PyObject* functools = PyImport_ImportModule("functools");
  update_wrapper = functools ? PyObject_GetAttrString(functools, "update_wrapper") : nullptr;
  Py_XDECREF(functools);
  scopes = PyDict_New();
  operations = PyDict_New();
  tags = PyDict_New();
  PyObject* module = update_wrapper && scopes && operations && tags ? PyModule_Create(&definition) : nullptr;
  if (module && (PyModule_AddType(module, &ScopeType) < 0 || PyModule_AddType(module, &OperationType) < 0)) Py_CLEAR(module);
  return module;
}
