// storeprof.observe._observer: the Python face of the sampler (see _observer.pyi).
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "sampler.hpp"

namespace {

using storeprof::Sampler;

struct SamplerObject {
    PyObject_HEAD
    Sampler* sampler;
};

Sampler* sampler_of(PyObject* self) {
    Sampler* s = reinterpret_cast<SamplerObject*>(self)->sampler;
    if (!s) PyErr_SetString(PyExc_RuntimeError, "Sampler.__init__ was not called");
    return s;
}

int init(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"pid", "mean_interval_ns", "cpu_budget", "seed", "buffer_bytes", nullptr};
    storeprof::SamplerOptions o;
    unsigned long long interval = o.mean_interval_ns, seed = 0, buffer = o.buffer_bytes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|$KdKK:Sampler", const_cast<char**>(names), &o.pid, &interval,
                                     &o.cpu_budget, &seed, &buffer))
        return -1;
    o.mean_interval_ns = interval, o.seed = seed, o.buffer_bytes = buffer;
    if (o.pid <= 0 || interval < 100'000 || interval > 1'000'000'000 || !(o.cpu_budget > 0 && o.cpu_budget <= 1)) {
        PyErr_SetString(PyExc_ValueError, "pid > 0, mean_interval_ns from 100 us to 1 s, 0 < cpu_budget <= 1");
        return -1;
    }
    auto* made = new Sampler(o);
    if (int error = made->check()) {
        delete made;
        errno = error;
        PyErr_SetFromErrno(PyExc_OSError);  // ProcessLookupError or PermissionError
        return -1;
    }
    delete reinterpret_cast<SamplerObject*>(self)->sampler;
    reinterpret_cast<SamplerObject*>(self)->sampler = made;
    return 0;
}

void dealloc(PyObject* self) {
    Sampler* s = reinterpret_cast<SamplerObject*>(self)->sampler;
    if (s) {
        Py_BEGIN_ALLOW_THREADS
        delete s;
        Py_END_ALLOW_THREADS
    }
    PyTypeObject* type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject* start(PyObject* self, PyObject*) {
    Sampler* s = sampler_of(self);
    if (s && !s->start()) PyErr_SetString(PyExc_RuntimeError, "a Sampler is started once");
    return PyErr_Occurred() ? nullptr : Py_NewRef(Py_None);
}
PyObject* stop(PyObject* self, PyObject*) {
    Sampler* s = sampler_of(self);
    if (!s) return nullptr;
    Py_BEGIN_ALLOW_THREADS
    s->stop();
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}
PyObject* alive(PyObject* self, PyObject*) {
    Sampler* s = sampler_of(self);
    return s ? PyBool_FromLong(s->alive()) : nullptr;
}
PyObject* set_gate(PyObject* self, PyObject* on) {
    Sampler* s = sampler_of(self);
    int wanted = s ? PyObject_IsTrue(on) : -1;
    return wanted < 0 ? nullptr : PyBool_FromLong(s->set_gate(wanted));
}

// Rows refer to names, so names come first.
const int drain_order[] = {14, 3, 4, 5, 6, 7, 13, 1, 2, 8, 9, 10, 11, 12};

PyObject* drain(PyObject* self, PyObject*) {
    Sampler* s = sampler_of(self);
    PyObject* list = s ? PyList_New(0) : nullptr;
    if (!list) return nullptr;
    std::array<std::string, storeprof::kTables> taken;
    Py_BEGIN_ALLOW_THREADS
    taken = s->drain();
    Py_END_ALLOW_THREADS
    for (int table : drain_order) {
        const std::string& bytes = taken[table];
        if (bytes.empty()) continue;
        PyObject* pair = Py_BuildValue("(iy#)", table, bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
        if (!pair || PyList_Append(list, pair)) {
            Py_XDECREF(pair);
            Py_DECREF(list);
            return nullptr;
        }
        Py_DECREF(pair);
    }
    return list;
}

PyObject* stats(PyObject* self, PyObject*) {
    Sampler* sampler = sampler_of(self);
    if (!sampler) return nullptr;
    storeprof::SamplerStats s = sampler->stats();
    static const char* const states[] = {"searching", "attached", "refused"};
    const char* version = s.python_version.empty() ? nullptr : s.python_version.c_str();
    return Py_BuildValue(
        "{sK sK sK sK sK sd sK sK sO s{ss sz ss} s{sO ss sO sK sK sK} s{sK sK sK sK}}", "rounds", s.rounds, "looks", s.looks,
        "reused", s.reused, "cpu_ns", s.cpu_ns, "mean_interval_ns", s.mean_interval_ns, "look_fraction", s.look_fraction,
        "threads", s.threads, "dropped_looks", s.dropped_looks, "gone", s.gone ? Py_True : Py_False,
        "python", "status", states[static_cast<int>(s.python_state)], "version", version, "why", s.python_why.c_str(),
        "probe", "attached", s.probe.attached ? Py_True : Py_False, "why", s.probe.why.c_str(),
        "gate_changed", s.probe.gate_changed ? Py_True : Py_False, "nodes", s.probe.nodes,
        "dropped_scopes", s.probe.dropped_scopes, "lost_operations", s.probe.lost_operations,
        "stacks", "ok", s.by_status[1], "leaf_moved", s.by_status[2], "partial", s.by_status[3], "torn", s.by_status[4]);
}

PyMethodDef methods[] = {
    {"start", start, METH_NOARGS, nullptr},   {"stop", stop, METH_NOARGS, nullptr},
    {"alive", alive, METH_NOARGS, nullptr},   {"drain", drain, METH_NOARGS, nullptr},
    {"stats", stats, METH_NOARGS, nullptr},   {"set_gate", set_gate, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("Looks at every thread of another process at random intervals, without stopping it.")},
    {Py_tp_new, reinterpret_cast<void*>(PyType_GenericNew)},
    {Py_tp_init, reinterpret_cast<void*>(init)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_methods, methods},
    {0, nullptr},
};
PyType_Spec sampler_spec = {"storeprof.observe._observer.Sampler", sizeof(SamplerObject), 0, Py_TPFLAGS_DEFAULT, slots};

int execute(PyObject* module) {
    PyObject* type = PyType_FromSpec(&sampler_spec);
    if (!type) return -1;
    int failed = PyModule_AddObjectRef(module, "Sampler", type);
    Py_DECREF(type);
    return failed;
}
PyModuleDef_Slot module_slots[] = {{Py_mod_exec, reinterpret_cast<void*>(execute)}, {0, nullptr}};
PyModuleDef module_definition = {PyModuleDef_HEAD_INIT, "_observer", "The native observer.", 0, nullptr, module_slots,
                                 nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__observer() { return PyModuleDef_Init(&module_definition); }
