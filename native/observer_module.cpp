// storeprof.observe._observer: the Python face of the sampler (see _observer.pyi).
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "sampler.hpp"
namespace {
using storeprof::Sampler;
using State = storeprof::PythonState;

struct SamplerObject {
    PyObject_HEAD
    Sampler* sampler;
};
Sampler& sampler_of(PyObject* self) { return *reinterpret_cast<SamplerObject*>(self)->sampler; }
PyObject* finder = nullptr;  // storeprof.observe.python_runtime, imported once and kept
// Called from the sampler's thread, which holds the GIL for nothing else.
storeprof::PythonRuntime ask_python(pid_t pid) {
    storeprof::PythonRuntime found;
    const char *state = "", *version, *why, *offsets;
    unsigned long long runtime, code_type;
    Py_ssize_t size = 0;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject* answer = PyObject_CallMethod(finder, "find_runtime", "i", pid);
    if (answer && PyArg_ParseTuple(answer, "sssKKy#", &state, &version, &why, &runtime, &code_type, &offsets, &size)) {
        bool fits = size == sizeof found.offsets;
        found = {State::searching, version, why, runtime, code_type, {}};
        if (*state == 'r') found.state = State::refused;
        if (*state == 'a' && fits) found.state = State::attached, memcpy(&found.offsets, offsets, size);
    }
    if (PyErr_Occurred()) PyErr_WriteUnraisable(finder);
    Py_XDECREF(answer);
    PyGILState_Release(gil);
    return found;
}
PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"pid", "mean_interval_ns", "cpu_budget", "seed", "buffer_bytes", nullptr};
    storeprof::SamplerOptions o;
    static_assert(sizeof(unsigned long long) == sizeof o.seed && sizeof(unsigned long long) == sizeof o.buffer_bytes);
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|$KdKK:Sampler", const_cast<char**>(names), &o.pid, &o.mean_interval_ns,
                                     &o.cpu_budget, &o.seed, &o.buffer_bytes))
        return nullptr;
    bool interval_fits = o.mean_interval_ns >= 100'000 && o.mean_interval_ns <= 1'000'000'000;
    if (o.pid <= 0 || !interval_fits || !(o.cpu_budget > 0 && o.cpu_budget <= 1))
        return PyErr_Format(PyExc_ValueError, "pid > 0, mean_interval_ns from 100 us to 1 s, 0 < cpu_budget <= 1");
    if (!finder && !(finder = PyImport_ImportModule("storeprof.observe.python_runtime"))) return nullptr;
    auto sampler = std::make_unique<Sampler>(o, ask_python);
    errno = sampler->check();
    if (errno) return PyErr_SetFromErrno(PyExc_OSError);  // ProcessLookupError or PermissionError
    PyObject* self = type->tp_alloc(type, 0);
    if (self) reinterpret_cast<SamplerObject*>(self)->sampler = sampler.release();
    return self;
}
void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    Py_BEGIN_ALLOW_THREADS delete &sampler_of(self); Py_END_ALLOW_THREADS
    type->tp_free(self);
    Py_DECREF(type);
}
PyObject* start(PyObject* self, PyObject*) {
    if (!sampler_of(self).start()) return PyErr_Format(PyExc_RuntimeError, "a Sampler is started once");
    Py_RETURN_NONE;
}
PyObject* stop(PyObject* self, PyObject*) {
    Py_BEGIN_ALLOW_THREADS sampler_of(self).stop(); Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}
PyObject* alive(PyObject* self, PyObject*) { return PyBool_FromLong(sampler_of(self).alive()); }
PyObject* set_budget(PyObject* self, PyObject* value) {
    double budget = PyFloat_AsDouble(value);
    if (!PyErr_Occurred() && !(budget > 0 && budget <= 1)) PyErr_SetString(PyExc_ValueError, "0 < cpu_budget <= 1");
    if (PyErr_Occurred()) return nullptr;
    sampler_of(self).set_budget(budget);
    Py_RETURN_NONE;
}
PyObject* drain(PyObject* self, PyObject*) {
    storeprof::Tables::Bytes taken;
    Py_BEGIN_ALLOW_THREADS taken = sampler_of(self).drain(); Py_END_ALLOW_THREADS
    PyObject* list = PyList_New(0);
    for (int table : {14, 3, 4, 5, 6, 7, 13, 1, 2, 8, 9, 10, 11}) {  // rows refer to names, so names come first
        const std::string& bytes = taken[table];
        if (bytes.empty() || !list) continue;
        PyObject* pair = Py_BuildValue("(iy#)", table, bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
        if (!pair || PyList_Append(list, pair)) Py_CLEAR(list);
        Py_XDECREF(pair);
    }
    return list;
}
PyObject* probes(PyObject* self, PyObject*) {
    PyObject* list = PyList_New(0);
    for (auto& [process, memory] : sampler_of(self).probes()) {
        PyObject* pair = list ? Py_BuildValue("(Ii)", process, memory.get()) : nullptr;
        if (!pair || PyList_Append(list, pair)) Py_CLEAR(list);
        else memory.release();
        Py_XDECREF(pair);
    }
    return list;
}
PyObject* stats(PyObject* self, PyObject*) {
    storeprof::SamplerStats s = sampler_of(self).stats();
    static const char* const states[] = {"searching", "attached", "refused"};
    const char* version = s.python.version.empty() ? nullptr : s.python.version.c_str();
    auto flag = [](bool value) { return value ? Py_True : Py_False; };
    return Py_BuildValue(
        "{sK sK sK sK sK sd sK sK sO s{ss sz ss} s{sO ss sK sK} s{sK sK sK sK}}", "rounds", s.rounds, "looks", s.looks,
        "reused", s.reused, "cpu_ns", s.cpu_ns, "mean_interval_ns", s.mean_interval_ns, "look_fraction", s.look_fraction,
        "threads", s.threads, "dropped_looks", s.dropped_looks, "gone", flag(s.gone),
        "python", "status", states[static_cast<int>(s.python.state)], "version", version, "why", s.python.why.c_str(),
        "probe", "attached", flag(s.probe.attached), "why", s.probe.why.c_str(),
        "dropped_scopes", s.probe.dropped_scopes, "lost_operations", s.probe.lost_operations,
        "stacks", "ok", s.by_status[1], "leaf_moved", s.by_status[2], "partial", s.by_status[3], "torn", s.by_status[4]);
}
PyMethodDef methods[] = {
    {"start", start, METH_NOARGS, nullptr}, {"stop", stop, METH_NOARGS, nullptr}, {"alive", alive, METH_NOARGS, nullptr},
    {"drain", drain, METH_NOARGS, nullptr}, {"probes", probes, METH_NOARGS, nullptr}, {"stats", stats, METH_NOARGS, nullptr},
    {"set_budget", set_budget, METH_O, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("Looks at every thread of another process at random intervals, without stopping it.")},
    {Py_tp_new, reinterpret_cast<void*>(make)}, {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_methods, methods}, {0, nullptr}};
PyType_Spec sampler_spec = {"storeprof.observe._observer.Sampler", sizeof(SamplerObject), 0, Py_TPFLAGS_DEFAULT, slots};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_observer", nullptr, -1, nullptr, nullptr, nullptr, nullptr, nullptr};
}  // namespace
PyMODINIT_FUNC PyInit__observer() {
    PyObject *module = PyModule_Create(&definition), *type = PyType_FromSpec(&sampler_spec);
    if (module && (!type || PyModule_AddObjectRef(module, "Sampler", type))) Py_CLEAR(module);
    Py_XDECREF(type);
    return module;
}
